-- How one device is: what `apply` and `adopt` share. Values are JSON texts, times are microseconds.
-- All that is known lies in one packed text: {attributes, seen, said at, sequence of that, said to be available}, false
-- for what is not known. An attribute is flat: since, value, then at and value of what held before the first point
-- (false, false: nothing was forgotten), then at, sequence, value of each of the newest records, oldest first.

local state_key, points_key, online_key, devices_key, seen_key = unpack(KEYS)
local home, device, now = ARGV[1], ARGV[2], tonumber(ARGV[3])

local ONLINE_MS = 60000
local TRUTH = { ['true'] = '1', ['false'] = '0' }
-- Where the first record of an attribute stands.
local FIRST = 5

local function whole(number)
  return string.format('%.0f', number)
end

local function same(one, other)
  if one == other then
    return true
  end
  -- Two whole numbers of different text differ, however great they are; Lua would round them.
  if string.find(one, '^%-?%d+$') and string.find(other, '^%-?%d+$') then
    return false
  end
  if not (string.find(one, '^[%d%-]') and string.find(other, '^[%d%-]')) then
    return false
  end
  return tonumber(one) == tonumber(other)
end

-- Sets since and value from the records.
local function settle(attribute)
  local last = #attribute - 2
  local value, since = attribute[last + 2], attribute[last]
  attribute[2] = value
  for place = last, FIRST, -3 do
    if not same(attribute[place + 2], value) then
      attribute[1] = since
      return
    end
    since = attribute[place]
  end
  if attribute[3] and same(attribute[4], value) then
    since = attribute[3]
  end
  attribute[1] = since
end

-- The two objects that readers get.
local function objects(attributes)
  local state, stamps, n = {}, {}, 0
  for name, attribute in pairs(attributes) do
    local quoted = cjson.encode(name)
    n = n + 1
    state[n] = quoted .. ':' .. attribute[2]
    stamps[n] = quoted .. ':' .. whole(attribute[1])
  end
  return '{' .. table.concat(state, ',') .. '}', '{' .. table.concat(stamps, ',') .. '}'
end

-- `fields`: further names and values of the hash that people and programs read.
local function keep(known, fields)
  local attributes, seen, available = known[1], known[2], known[5]
  redis.call('SET', points_key, cmsgpack.pack(known))
  local spoken = seen and string.format('%.3f', seen / 1000000) or ''
  redis.call('HSET', state_key, 'available', available and '1' or '0', 'seen', seen and whole(seen) or '',
    'updated_at', spoken, unpack(fields))
  local member = string.sub(state_key, -36)
  if not (available and seen) then
    redis.call('ZREM', seen_key, member)
    redis.call('DEL', online_key)
    return
  end
  redis.call('ZADD', seen_key, whole(seen), member)
  local left_ms = ONLINE_MS - math.max(0, math.floor((now - seen) / 1000))
  if left_ms > 0 then
    redis.call('SET', online_key, spoken, 'PX', left_ms)
  end
end

-- What changes only with the attributes.
local function fields_of(attributes, state, stamps)
  local battery, signal = attributes['battery_pct'], attributes['signal_dbm']
  redis.call('SADD', devices_key, device)
  return { 'home', home, 'device', device, 'state', state, 'stamps', stamps, 'battery', battery and battery[2] or '',
    'signal', signal and signal[2] or '' }
end
