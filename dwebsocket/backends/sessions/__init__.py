"""Sessions: a WebSocket that outlives its connections, which are its carriers.

session    what is sent and received, and counted; the carrier that is there now
carriers   a WebSocket, or polls
registry   the sessions of this process, by their sids; what their time is looked at by
inbox      what has come and has not been read
websocket  what a view or handler has
runners    where that goes on
factory    makes it of the request that opens a session
"""
