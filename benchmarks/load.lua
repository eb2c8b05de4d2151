-- wrk sends the requests of a file, one after the other and over again.
-- Arguments: the file, what its keys begin with, and whether to count the answers "304".

local requests, keys, sent = {}, "", 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for each in file:read("*a"):gmatch("[^%z]+") do
    requests[#requests + 1] = each
  end
  file:close()
  keys = args[2]
  if args[3] == "304" then
    not_modified = 0
    response = function(status)
      if status == 304 then
        not_modified = not_modified + 1
      end
    end
  end
end

function request()
  local each = requests[sent % #requests + 1]
  sent = sent + 1
  if each:find("@KEY@", 1, true) then
    each = each:gsub("@KEY@", keys .. sent)
  end
  return each
end

local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

function done(summary, latency)
  local e = summary.errors
  print(string.format(
    '{"requests": %d, "seconds": %f, "errors": %d, "error_kinds": "%s", "not_modified": %d,'
      .. ' "p50": %f, "p99": %f}',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    string.format("%d connect, %d read, %d write, %d status, %d timeout",
      e.connect, e.read, e.write, e.status, e.timeout),
    threads[1]:get("not_modified") or 0, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
  ))
end
