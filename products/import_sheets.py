"""Reading of sheets in CSV and XLSX, as `shopply.api.sheets` and spreadsheets write them."""

import csv
import io
import re
import zipfile
from itertools import islice

import tablib
from django.core.exceptions import ValidationError
from openpyxl import load_workbook
from openpyxl.utils import get_column_letter

from shopply.api.sheets import unescape_formula

MAX_FILE_SIZE = 2_000_000  # bytes of an upload
# Bytes of XML: of an XLSX, and of its parts without rows, which openpyxl reads much more slowly.
MAX_UNZIPPED_SIZE = 8_000_000
MAX_STYLES_SIZE = 500_000
PARTS_WITH_ROWS = ("xl/worksheets/", "xl/sharedStrings.xml", "xl/media/")
MAX_TEXT_SIZE = 2_000_000  # characters in all cells
MAX_COLUMNS = 50
MAX_ROWS = 5_000  # without the header
FORMULA_ELEMENT = re.compile(rb"<(?:\w+:)?f[\s>/]")  # in the XML of an XLSX


def read_sheet(content):
    """Return the rows of a CSV or XLSX file as a tablib.Dataset of texts.

    Its headers are in small letters, with `_` for blanks. Raises ValidationError.
    """
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise ValidationError("This is an older or encrypted Excel file: save it as XLSX.")
    rows = read_xlsx(content) if content.startswith(b"PK") else read_csv(content)
    rows = list(islice(rows, MAX_ROWS + 2))
    if len(rows) > MAX_ROWS + 1:
        raise ValidationError(f"The sheet has over {MAX_ROWS:,} rows, even if empty: divide it.")
    while rows and not any(rows[-1]):
        rows.pop()
    if len(rows) < 2:
        raise ValidationError("The sheet needs a row of column names, and rows below it.")
    if sum(len(cell) for row in rows for cell in row) > MAX_TEXT_SIZE:
        raise ValidationError(f"The sheet has over {MAX_TEXT_SIZE:,} characters: divide it.")
    return to_dataset(*rows)


def to_dataset(headers, *rows):
    while headers and not headers[-1]:
        headers.pop()
    if len(headers) > MAX_COLUMNS:
        raise ValidationError(f"The sheet has over {MAX_COLUMNS} columns.")
    for number, header in enumerate(headers, 1):
        if not header:
            raise ValidationError(
                f"Column {get_column_letter(number)} has no name: name or delete it."
            )
    dataset = tablib.Dataset(headers=[header.lower().replace(" ", "_") for header in headers])
    for number, row in enumerate(rows, 2):
        if any(row[len(headers) :]):
            raise ValidationError(
                f"Row {number} has a cell without a column name. If it is a comma within a text or"
                ' a number, put that in quotes: "12,50".'
            )
        padding = [""] * (len(headers) - len(row))
        dataset.append([*row[: len(headers)], *padding])
    return dataset


def read_csv(content):
    """Yield the rows, of fields divided by commas, semicolons (as in German Excel) or tabs."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        message = "This is neither XLSX nor CSV in UTF-8: save it as XLSX or as “CSV UTF-8”."
        raise ValidationError(message) from None
    if "\0" in text:
        raise ValidationError("This is neither XLSX nor CSV: it has null characters.")
    head = text.partition("\n")[0]
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count)):
            yield [unescape_formula(cell).strip() for cell in row]
    except csv.Error as exc:
        raise ValidationError(f"The CSV cannot be read: {exc}.") from None


def read_xlsx(content):
    """Yield the rows of the first sheet, of formulas the values that were saved with them."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        # No entry is read beyond the size that it states.
        sizes = [(entry.filename, entry.file_size) for entry in archive.infolist()]
        styles = [size for name, size in sizes if not name.startswith(PARTS_WITH_ROWS)]
        if sum(size for _, size in sizes) > MAX_UNZIPPED_SIZE or sum(styles) > MAX_STYLES_SIZE:
            raise ValidationError("The XLSX is too large when it is unpacked: divide it.")
        parts = [archive.read(name) for name, _ in sizes if name.startswith("xl/worksheets/")]
        formulas = find_formulas(content) if any(map(FORMULA_ELEMENT.search, parts)) else ()
        for row in iter_cells(content, data_only=True):
            check_cells(row, formulas)
            yield [to_text(cell.value) for cell in row]
    except ValidationError:
        raise
    except Exception:  # noqa: BLE001  openpyxl raises whatever a broken file leads to
        message = "The XLSX cannot be read: save it anew, or as “CSV UTF-8”."
        raise ValidationError(message) from None


def iter_cells(content, **options):
    sheet = load_workbook(io.BytesIO(content), read_only=True, **options).worksheets[0]
    # One column and row more than allowed. Those in between are there even if they are empty.
    return sheet.iter_rows(max_col=MAX_COLUMNS + 1, max_row=MAX_ROWS + 2)


def find_formulas(content):
    """Return the coordinates of the cells with formulas, such as `B2`."""
    rows = iter_cells(content)
    return {cell.coordinate for row in rows for cell in row if cell.data_type == "f"}


def check_cells(cells, formulas):
    """Raise ValidationError if a formula has no value, or an error instead of one."""
    for cell in cells:
        if cell.data_type == "e":
            raise ValidationError(f"Cell {cell.coordinate} has the error {cell.value}.")
        # A text may be empty. Of programs that do not calculate, a value is.
        is_empty = formulas and cell.value is None and cell.data_type == "n"
        if is_empty and getattr(cell, "coordinate", None) in formulas:
            raise ValidationError(
                f"Cell {cell.coordinate} has a formula without its value: open the sheet in a"
                " spreadsheet, and save it there."
            )


def to_text(value):
    """Return the value of an XLSX cell as a text."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).upper()  # no number: TRUE is not a price of 1.00
        case float():
            return f"{value:.15g}"  # as Excel shows it: 11.000000000000002 is 11
    return unescape_formula(str(value)).strip()
