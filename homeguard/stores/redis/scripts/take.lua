-- Takes one token from a bucket, by the server's own clock. Answers the seconds until there is one; "0" when it was taken.

local per_second, burst = tonumber(ARGV[1]) / 60, tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(held[1] or burst)
tokens = math.min(burst, tokens + math.max(0, now - tonumber(held[2] or now)) * per_second)
if tokens < 1 then
  return string.format('%.9f', math.max(0.000000001, (1 - tokens) / per_second))
end
tokens = tokens - 1
redis.call('HSET', KEYS[1], 'tokens', string.format('%.17g', tokens), 'at', string.format('%.6f', now))
-- Once it is full again it need not be kept.
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - tokens) / per_second * 1000))
return '0'
