"""Sheets in CSV and XLSX, written for spreadsheets; `products.import_sheets` reads them.

Cells are texts, but for numbers in XLSX. Times are ISO 8601 in UTC, decimals have a point, and yes
and no are 1 and 0, which no spreadsheet translates.
"""

import csv
import io
import re
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice

from django.core.exceptions import ValidationError
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

MAX_XLSX_ROWS = 10_000  # that are written: they take some seconds, and are sent when all are there
CSV_BATCH_SIZE = 500  # rows

# Where a spreadsheet would read a formula: at the beginning of a cell, or after what divides cells
# in another country's CSV.
FORMULA = re.compile("(?:^|(?<=[;\t\r\n]))(?='*[=+\\-@\t\r＝＋－＠])")
ESCAPED_FORMULA = re.compile("(?:^|(?<=[;\t\r\n]))'(?='*[=+\\-@\t\r＝＋－＠])")


def escape_formula(text):
    """Return `=1+1` as `'=1+1`, which spreadsheets show as it is; `unescape_formula` undoes it."""
    return FORMULA.sub("'", text)


def unescape_formula(text):
    return ESCAPED_FORMULA.sub("", text)


def to_cell(value):
    """Return a value as a sheet has it: a text, an int or a Decimal."""
    match value:
        case bool():
            return int(value)
        case int() | Decimal():
            return value
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        case None:
            return ""
    return escape_formula(str(value).replace("\r\n", "\n").replace("\r", "\n"))


def write_csv(headers, rows):
    """Yield the sheet in pieces, UTF-8 with the mark by which Excel knows it."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(headers)
    yield "\ufeff".encode()
    rows = iter(rows)
    while buffer.tell():
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
        writer.writerows(map(to_cell, row) for row in islice(rows, CSV_BATCH_SIZE))


def write_xlsx(headers, rows):
    """Return the sheet. Raises ValidationError if there are more than MAX_XLSX_ROWS."""
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet()
    sheet.append(headers)
    for number, row in enumerate(rows):
        if number == MAX_XLSX_ROWS:
            sheet.close()
            raise ValidationError(
                f"XLSX holds up to {MAX_XLSX_ROWS:,} rows: choose CSV, or filter the list."
            )
        cells = map(to_cell, row)
        sheet.append(
            [
                ILLEGAL_CHARACTERS_RE.sub("�", cell) if isinstance(cell, str) else cell
                for cell in cells
            ]
        )
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()
