"""Send events by Segment's own SDK until standard input ends: HOST KEY. Prints how many, and which failed.

Run by the Python that has segment-analytics-python; see README.md.
"""

import json
import logging
import sys
import threading
import time

import segment.analytics as analytics

logging.getLogger("segment").setLevel(logging.CRITICAL)
failed = []
client = analytics.Client(
    sys.argv[2],
    host=sys.argv[1],
    upload_size=20,
    upload_interval=0.05,
    gzip=True,
    max_queue_size=10**6,
    on_error=lambda _, batch: failed.extend(batch),
)
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
count = 0
while not ended.is_set():
    for _ in range(20):
        client.track(
            f"user {count % 7}", "order paid", {"count": count}, message_id=f"python {count}"
        )
        count += 1
    time.sleep(0.05)
client.identify("user 0", {"plan": "free"}, message_id="python identify")
client.page("user 0", "shop", "home", message_id="python page")
client.flush()
client.join()
print(json.dumps({"count": count, "failed": len(failed)}))
