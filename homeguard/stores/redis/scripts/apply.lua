-- Merges what records say of one device; changes as JSON: [[at, sequence, available (1, 0, -1: nothing said),
-- {attribute: JSON text of its value}], ...]. Answers {state, stamps, available, seen}, or false when nothing that shows
-- has changed.

-- How many records of an attribute are remembered: so far may a record come late and still count for `since`.
local REMEMBERED = 8

-- Equal to one who looks at it: 1 and true are.
local function alike(one, other)
  return same(TRUTH[one] or one, TRUTH[other] or other)
end

-- Byte by byte; Lua's own order of texts depends on the machine's language.
local function greater(one, other)
  for n = 1, math.min(#one, #other) do
    local a, b = string.byte(one, n), string.byte(other, n)
    if a ~= b then
      return a > b
    end
  end
  return #one > #other
end

local function add(attribute, at, sequence, value)
  local place = #attribute + 1
  while place > FIRST do
    local earlier = attribute[place - 3]
    if earlier < at or (earlier == at and attribute[place - 2] < sequence) then
      break
    end
    place = place - 3
  end
  if attribute[place] == at and attribute[place + 1] == sequence then
    if not greater(value, attribute[place + 2]) then
      return false
    end
    attribute[place + 2] = value
    return true
  end
  if place == FIRST and attribute[place] and attribute[3] then
    return false
  end
  for n = #attribute, place, -1 do
    attribute[n + 3] = attribute[n]
  end
  attribute[place], attribute[place + 1], attribute[place + 2] = at, sequence, value
  if #attribute >= FIRST + 3 * REMEMBERED then
    if not (attribute[3] and same(attribute[4], attribute[FIRST + 2])) then
      attribute[3], attribute[4] = attribute[FIRST], attribute[FIRST + 2]
    end
    local length = #attribute
    for n = FIRST, length - 3 do
      attribute[n] = attribute[n + 3]
    end
    attribute[length], attribute[length - 1], attribute[length - 2] = nil, nil, nil
  end
  return true
end

local held = redis.call('GET', points_key)
local is_new = not held
local known = held and cmsgpack.unpack(held) or { {}, false, false, false, false }
local attributes, seen, said_at, said_sequence, available = unpack(known)
local was_seen, was_available = seen, available

local changed, grown = false, {}
for _, change in ipairs(cjson.decode(ARGV[4])) do
  local at, sequence, told = change[1], change[2], change[3]
  for name, value in pairs(change[4]) do
    local attribute = attributes[name]
    if not attribute then
      attribute = { false, false, false, false }
      attributes[name] = attribute
    end
    local was = grown[name] or { attribute[1], attribute[2] }
    if add(attribute, at, sequence, value) then
      grown[name] = was
      changed = true
    end
  end
  if told ~= -1 then
    local flag = told == 1
    if not said_at or at > said_at or (at == said_at and (sequence > said_sequence
        or (sequence == said_sequence and flag and not available))) then
      said_at, said_sequence, available = at, sequence, flag
      changed = true
    end
  end
  -- That a device is gone is said of it, not by it.
  if told ~= 0 and (not seen or at > seen) then
    seen = at
    changed = true
  end
end
if not changed then
  return false
end

local differs, is_shown = is_new, is_new or available ~= was_available or seen ~= was_seen
for name, was in pairs(grown) do
  local attribute = attributes[name]
  settle(attribute)
  if attribute[1] ~= was[1] or attribute[2] ~= was[2] then
    differs = true
    is_shown = is_shown or attribute[1] ~= was[1] or not alike(attribute[2], was[2])
  end
end
local state, stamps, fields = false, false, {}
if not differs then
  state, stamps = unpack(redis.call('HMGET', state_key, 'state', 'stamps'))
end
if not state then
  state, stamps = objects(attributes)
  fields = fields_of(attributes, state, stamps)
end
keep({ attributes, seen, said_at, said_sequence, available }, fields)
if not is_shown then
  return false
end
return { state, stamps, available and '1' or '0', seen and whole(seen) or '' }
