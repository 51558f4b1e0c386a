-- Sends the bodies of a folder in turn: wrk -s wrk.lua URL -- FOLDER TYPE COUNT.
-- What came of it is printed as JSON; latencies are in microseconds.
local requests, at = {}, 0

function init(args)
  for i = 0, tonumber(args[3]) - 1 do
    local f = io.open(args[1] .. "/" .. i, "rb")
    requests[i] = wrk.format("POST", nil, { ["Content-Type"] = args[2] }, f:read("*a"))
    f:close()
  end
end

function request()
  at = (at + 1) % (#requests + 1)
  return requests[at]
end

function done(s, latency)
  local e = s.errors
  print(string.format('RESULT {"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"errors":%d}',
    s.requests, s.duration / 1e6, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
