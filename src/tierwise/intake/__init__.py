"""Events by HTTP, from pages and servers, durable before they are acknowledged: `tierwise collect`.

keys       write keys: whose events, from where, under which schema
bodies     what of a request is read: size, gzip, JSON
segment    messages in Segment's format, as events
events     the rules of one event, its times and what of its context is kept
schemas    the rules of one source
store      the tables of events and of rejected ones (SQLite)
seen       which event_ids there are already
writer     many requests, one fsync
app        the routes
server     the process
snippet    the script for pages
client     the same from Python
replay     rejected events, corrected
table      events as a table, for whoever reckons with them
"""
