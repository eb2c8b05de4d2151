"""Medians, ratios and the tables they make."""

from statistics import median

from benchmarks.rows import ROWS
from benchmarks.servers import BARE, FASTAPI, FASTAPI_COUNT, PLAIN, SHOPS

ORDER = (*SHOPS, FASTAPI, FASTAPI_COUNT, PLAIN, BARE)
FLOORS = {row.name: row.floor for row in ROWS if row.floor}


def summary(rounds):
    """Of the rounds of one row on one server."""
    medians = {
        name: round(median(each[name] for each in rounds), 2)
        for name in ("rps", "p50", "p99", "orders_per_second")
    }
    cpu = {
        part: round(median(each["cpu_ms"][part] for each in rounds), 3)
        for part in ("server", "database", "generator")
    }
    totals = {
        name: sum(each[name] for each in rounds)
        for name in ("errors", "not_modified", "requests", "orders")
    }
    return {
        **medians,
        "cpu_ms": cpu,
        "rounds": [round(each["rps"], 1) for each in rounds],
        **totals,
    }


def over_fastapi(row):
    """The requests per second of each server over FastAPI's: `{server: ratio}`"""
    peer = row.get(FASTAPI, {}).get("rps")
    return {
        name: row[name]["rps"] / peer for name in ORDER if peer and name in row and name != FASTAPI
    }


def markdown(results):
    lines = [f"# shopply beside what one would build instead, {results['date']}", ""]
    lines += [f"`{results['command']}`: {results['setting']}", ""]
    lines += [f"- {name}: {value}" for name, value in results["versions"].items()]
    for database, rows in results["databases"].items():
        lines += ["", f"## {database}", "", "Requests per second (p50, p99 in ms):", ""]
        lines += table(rows, cell_of_speed)
        floors = FLOORS if database == "PostgreSQL" else {}
        ratios = {
            name: {
                server: verdict(server, ratio, floors.get(name))
                for server, ratio in over_fastapi(row).items()
            }
            | ({"floor": f"{floors[name]:g}"} if name in floors else {})
            for name, row in rows.items()
        }
        lines += ["", "Requests per second over those of FastAPI:", ""]
        lines += table(ratios, str, ("floor", *ORDER))
        lines += ["", "Milliseconds of processor per request, of server + database + generator:"]
        lines += ["", *table(rows, cell_of_cpu)]
    if results["faults"]:
        lines += ["", "**This run failed:**", "", *(f"- {fault}" for fault in results["faults"])]
    return "\n".join(lines) + "\n"


def verdict(server, ratio, floor):
    if floor is None or server not in SHOPS:
        return f"{ratio:.2f}"
    return f"{ratio:.2f}, met" if ratio >= floor else f"**{ratio:.2f}, not met**"


def table(rows, cell, columns=ORDER):
    columns = [name for name in columns if any(name in row for row in rows.values())]
    yield f"| | {' | '.join(columns)} |"
    yield f"|---|{'---|' * len(columns)}"
    for name, row in rows.items():
        cells = (cell(row[column]) if column in row else "" for column in columns)
        yield f"| {name} | {' | '.join(cells)} |"


def cell_of_speed(measured):
    latencies = f"{measured['p50']:,.1f}, {measured['p99']:,.1f}"
    orders = f"; beside {measured['orders_per_second']:,.0f} orders" if measured["orders"] else ""
    errors = f", **{measured['errors']:,} errors**" if measured["errors"] else ""
    return f"{measured['rps']:,.0f} ({latencies}{orders}{errors})"


def cell_of_cpu(measured):
    cpu = measured["cpu_ms"]
    return " + ".join(f"{cpu[part]:.2f}" for part in ("server", "database", "generator"))
