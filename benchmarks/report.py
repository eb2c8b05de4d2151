"""Medians, ratios and the tables that show them."""

from statistics import median

from benchmarks.rows import ROWS
from benchmarks.servers import BARE, FASTAPI, FASTAPI_COUNT, PLAIN, SHOPS

ORDER = (*SHOPS, FASTAPI, FASTAPI_COUNT, PLAIN, BARE)
FLOORS = {row.name: row.floor for row in ROWS if row.floor}


def summary(rounds):
    """Summarize the rounds of one row on one server."""
    medians = {
        name: round(median(result[name] for result in rounds), 2)
        for name in ("rps", "p50", "p99", "orders_per_second")
    }
    cpu = {
        part: round(median(result["cpu_ms"][part] for result in rounds), 3)
        for part in ("server", "database", "generator")
    }
    totals = {
        name: sum(result[name] for result in rounds)
        for name in ("errors", "not_modified", "requests", "orders")
    }
    return {
        **medians,
        "cpu_ms": cpu,
        "rounds": [round(result["rps"], 1) for result in rounds],
        **totals,
    }


def ratios_to_fastapi(row):
    """Return each server's throughput relative to FastAPI's: `{server: ratio}`."""
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
        lines += table(rows, speed_cell)
        floors = FLOORS if database == "PostgreSQL" else {}
        ratios = {
            name: {
                server: verdict(server, ratio, floors.get(name))
                for server, ratio in ratios_to_fastapi(row).items()
            }
            | ({"floor": f"{floors[name]:g}"} if name in floors else {})
            for name, row in rows.items()
        }
        lines += ["", "Requests per second over those of FastAPI:", ""]
        lines += table(ratios, str, ("floor", *ORDER))
        lines += ["", "Milliseconds of processor per request, of server + database + generator:"]
        lines += ["", *table(rows, cpu_cell)]
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


def speed_cell(result):
    latencies = f"{result['p50']:,.1f}, {result['p99']:,.1f}"
    orders = f"; beside {result['orders_per_second']:,.0f} orders" if result["orders"] else ""
    errors = f", **{result['errors']:,} errors**" if result["errors"] else ""
    return f"{result['rps']:,.0f} ({latencies}{orders}{errors})"


def cpu_cell(result):
    cpu = result["cpu_ms"]
    return " + ".join(f"{cpu[part]:.2f}" for part in ("server", "database", "generator"))
