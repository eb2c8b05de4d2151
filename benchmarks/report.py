"""Medians, ratios and the tables they make."""

from statistics import median

from benchmarks.servers import BARE, FASTAPI, FASTAPI_COUNT, FIVE, ONE, PLAIN, SHOP

ORDER = (SHOP, FASTAPI, FASTAPI_COUNT, PLAIN, BARE, FIVE, ONE)
PEERS = ORDER[1:]


def summary(rounds):
    """Of the rounds of one row on one server."""
    parts = ("server", "database", "generator")
    told = {name: round(median(each[name] for each in rounds), 2) for name in ("rps", "p50", "p99")}
    told["cpu_ms"] = {
        part: round(median(each["cpu_ms"][part] for each in rounds), 3) for part in parts
    }
    told["rounds"] = [round(each["rps"], 1) for each in rounds]
    for name in ("errors", "not_modified", "requests"):
        told[name] = sum(each[name] for each in rounds)
    return told


def ratios(row):
    """The shop's requests per second over each peer's: `{peer: ratio}`"""
    if SHOP not in row:
        return {}
    return {
        peer: round(row[SHOP]["rps"] / row[peer]["rps"], 3)
        for peer in PEERS
        if peer in row and row[peer]["rps"]
    }


def markdown(results):
    lines = [f"# shopply beside what one would build instead, {results['date']}", ""]
    lines += [f"`{results['command']}`: {results['setting']}", ""]
    lines += [f"- {name}: {value}" for name, value in results["versions"].items()]
    for database, rows in results["databases"].items():
        speed = {name: row for name, row in rows.items() if "seconds" not in row}
        lines += ["", f"## {database}", "", "Requests per second (p50, p99 in ms):", ""]
        lines += table(speed, ORDER, cell_of_speed)
        lines += ["", "The shop's requests per second over each peer's:", ""]
        lines += table({name: ratios(row) for name, row in speed.items()}, PEERS, "{:.2f}".format)
        lines += ["", "Milliseconds of processor per request, of server + database + generator:"]
        lines += ["", *table(speed, ORDER, cell_of_cpu), ""]
        for name, row in rows.items():
            if "seconds" in row:
                lines.append(f"`{name}`: {row['seconds']} s.")
    if results["faults"]:
        lines += ["", "**This run failed:**", "", *(f"- {fault}" for fault in results["faults"])]
    return "\n".join(lines) + "\n"


def table(rows, columns, cell):
    columns = [name for name in columns if any(name in row for row in rows.values())]
    yield f"| | {' | '.join(columns)} |"
    yield f"|---|{'---|' * len(columns)}"
    for name, row in rows.items():
        if "unsupported" in row:
            yield f"| {name} | {row['unsupported']} |{' |' * (len(columns) - 1)}"
        elif row:
            cells = (cell(row[column]) if column in row else "" for column in columns)
            yield f"| {name} | {' | '.join(cells)} |"


def cell_of_speed(told):
    errors = f", **{told['errors']:,} errors**" if told["errors"] else ""
    return f"{told['rps']:,.0f} ({told['p50']:,.1f}, {told['p99']:,.1f}{errors})"


def cell_of_cpu(told):
    return " + ".join(f"{told['cpu_ms'][part]:.2f}" for part in ("server", "database", "generator"))
