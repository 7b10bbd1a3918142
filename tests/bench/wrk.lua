-- Prints the figures as JSON: wrk's own output is rounded, in varying units.
function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "errors": %d}\n',
        summary.requests,
        summary.duration,
        latency:percentile(50),
        latency:percentile(99),
        errors.status + errors.connect + errors.read + errors.write + errors.timeout
    ))
end
