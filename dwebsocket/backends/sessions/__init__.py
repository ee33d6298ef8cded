"""Sessions: a WebSocket that outlives its connections, which are its carriers.

session    the carriers that come, and what they bring
exchange   what is sent, and kept until the client has it; and when that ends
incoming   what a client says
pulse      the heartbeat
carriers   a WebSocket, or polls
probing    a WebSocket that may follow polls
opening    how carriers begin
answers    HTTP answers to polls
registry   the sessions of this process, by their sids; the clock that looks at their time
claims     what a request says of its session, and what is done with it
relayed    requests that have come to another process
elsewhere  sessions of another process
asked      polls of these, which several may answer
relay      streams between two processes
websocket  what a view or handler has
trail      which process has a session that has gone elsewhere
transit    what a session does while it goes from one process to another
content    what goes of it
departing  the process that has it
arriving   the process that gets it
positions  where a client is in groups with a history
runners    where that goes on
factory    makes it of the request that opens a session
"""
