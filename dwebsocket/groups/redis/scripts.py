"""What Redis does for groups that keep messages: each step is one script; nobody sees half.

A group has two keys: its position, a hash, and its messages, a stream whose ids are the offsets.
The position outlives the messages; where it is missing they are forgotten.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha1
from itertools import count
from typing import NamedTuple

from redis.crc import key_slot

from dwebsocket.groups.envelope import BEHIND, KEPT

__all__ = ["APPEND", "PASS", "READ", "RENEW", "RIGHTS", "Script", "find_keys"]

#: What a user of Redis must be allowed for that, besides the keys.
RIGHTS = "+eval +evalsha +del +hincrby +hmget +hset +pexpire +pttl +time +xadd +xdel +xrange"


class Script(NamedTuple):
    """One script.

    Attributes:
        text: in Lua.
        sha: its name, once Redis knows it.
    """

    text: str
    sha: str


#: ARGV: another epoch, milliseconds that the position lives.
HEAD = """
local messages, position = KEYS[1], KEYS[2]
local found = redis.call('HMGET', position, 'epoch', 'offset')
local epoch, offset = found[1], tonumber(found[2] or 0)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function begin()
  epoch, offset = ARGV[1], 0
  redis.call('DEL', messages)
  redis.call('HSET', position, 'epoch', epoch, 'offset', 0)
end
local function live(key, milliseconds)
  if redis.call('PTTL', key) < tonumber(milliseconds) then
    redis.call('PEXPIRE', key, milliseconds)
  end
end
local function whole(number)
  return string.format('%.0f', number)
end
local function packed()
  return epoch .. struct.pack('>I8', offset)
end
if not epoch then begin() end
"""


def create_script(body: str) -> Script:
    text = HEAD + body
    return Script(text, sha1(text.encode()).hexdigest())


#: Keeps one and publishes it. ARGV: the message, how many are kept, for how many milliseconds, the
#: command that publishes, the channel.
APPEND = create_script(f"""
offset = redis.call('HINCRBY', position, 'offset', 1)
for _, entry in ipairs(redis.call('XRANGE', messages, '-', '+', 'COUNT', 2)) do
  if tonumber(entry[2][2]) > now then break end
  redis.call('XDEL', messages, entry[1])
end
redis.call('XADD', messages, 'MAXLEN', ARGV[4], whole(offset) .. '-0',
           'e', whole(now + ARGV[5]), 'd', ARGV[3])
live(messages, ARGV[5])
live(position, ARGV[2] + ARGV[5])
redis.call(ARGV[6], ARGV[7], string.char({KEPT[0]}) .. packed() .. ARGV[3])
return {{epoch, offset}}
""")

#: Publishes one that is not kept. ARGV: the message, the command that publishes, the channel.
PASS = create_script(f"""
live(position, ARGV[2])
redis.call(ARGV[4], ARGV[5], string.char({BEHIND[0]}) .. packed() .. ARGV[3])
""")

#: ARGV: behind which offset, how many, up to which offset (each may be empty), and how many bytes
#: are enough, though there may be more. Returns epoch, offset, up to which offset was looked, up to
#: which is to be looked, and offsets and messages by turns: those behind the last that is too old.
READ = create_script("""
live(position, ARGV[2])
local after, limit = tonumber(ARGV[3]), tonumber(ARGV[4])
if not after then
  after = limit and math.max(0, offset - limit) or 0
end
local function number(entry)
  return tonumber(string.match(entry[1], '^%d+'))
end
if limit then
  local first = redis.call('XRANGE', messages, whole(after + 1), '+', 'COUNT', 1)[1]
  after = first and number(first) - 1 or after
end
local last = tonumber(ARGV[5]) or limit and math.min(offset, after + limit) or offset
local kept, size = {}, 0
while after < last and size < tonumber(ARGV[6]) do
  local entries = redis.call('XRANGE', messages, whole(after + 1), whole(last), 'COUNT', 16)
  if #entries == 0 then after = last end
  for _, entry in ipairs(entries) do
    after = number(entry)
    size = size + #entry[2][4]
    if tonumber(entry[2][2]) > now then
      kept[#kept + 1] = after
      kept[#kept + 1] = entry[2][4]
    else
      kept = {}
    end
  end
end
return {epoch, offset, after, last, kept}
""")

#: ARGV: the epoch that is over.
RENEW = create_script("""
if epoch == ARGV[3] then begin() end
live(position, ARGV[2])
""")


@lru_cache(maxsize=4096)
def find_keys(prefix: str, name: str) -> tuple[str, str]:
    """The keys of a group's messages and of its position. In a cluster they are where its channel
    is: a script publishes there only.
    """
    channel = prefix + name
    return find_key(f"{prefix}history:", channel), find_key(f"{prefix}position:", channel)


def find_key(beginning: str, channel: str) -> str:
    """A key of this slot: by the channel as a hash tag, or, as it may have braces itself, by one
    number or another in front of it.
    """
    slot = key_slot(channel.encode())
    key = f"{beginning}{{{channel}}}"
    numbers = count()
    while key_slot(key.encode()) != slot:
        key = f"{beginning}{{{next(numbers)}}}{channel}"
    return key
