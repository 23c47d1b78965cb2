-- Takes over one whole state, as JSON: [at, seen (-1: never), available (1 or 0), {attribute: [since, JSON text]}].
-- Answers 1, or 0 when what is here was seen later.

local at, seen, available, told = unpack(cjson.decode(ARGV[4]))
seen = seen ~= -1 and seen
local held = redis.call('GET', points_key)
local here = held and cmsgpack.unpack(held)[2]
if here and (not seen or here > seen) then
  return 0
end

local attributes = {}
for name, words in pairs(told) do
  -- Sequences begin at 0: whatever else was said at that moment is newer.
  local attribute = { false, false, words[1], words[2], at, -1, words[2] }
  settle(attribute)
  attributes[name] = attribute
end
local state, stamps = objects(attributes)
keep({ attributes, seen, at, -1, available == 1 }, fields_of(attributes, state, stamps))
return 1
