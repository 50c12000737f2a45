"""A client of the Paho library that does what the first line of its standard input, a JSON object, says.

It connects, subscribes to "filters" if there are any, publishes "messages" if there are any, and prints "ready". Each message that
it gets is printed as one line of JSON. It disconnects when its standard input ends.
"""
import json
import os
import sys
import threading

import paho.mqtt.client as mqtt

job = json.loads(sys.stdin.readline())
level = job.get("level", 4)
acknowledged = threading.Event()


def say(line):
    """Prints a line in one go: two threads print."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def give_up(why):
    """Ends the process, from whichever thread."""
    print(why, file=sys.stderr, flush=True)
    os._exit(1)


def on_connect(client, _userdata, _flags, code, *_properties):
    if code != 0:
        give_up(f"Refused: {code}")
    if job.get("filters"):
        client.subscribe([(topic_filter, job["qos"]) for topic_filter in job["filters"]])
    else:
        acknowledged.set()


def on_subscribe(_client, _userdata, _packet_id, granted):
    if any(qos != job["qos"] for qos in granted):
        give_up(f"Granted: {granted}")
    acknowledged.set()


def on_message(_client, _userdata, message):
    say(json.dumps({
        "topic": message.topic,
        "payload": message.payload.decode(),
        "qos": message.qos,
        "retain": bool(message.retain),
    }))


# Version 2 of the library wants to be told which callbacks it is given.
version = {"callback_api_version": mqtt.CallbackAPIVersion.VERSION1} if hasattr(mqtt, "CallbackAPIVersion") else {}
client = mqtt.Client(
    client_id=job["id"],
    clean_session=None if level == 5 else job.get("clean", True),
    protocol={3: mqtt.MQTTv31, 4: mqtt.MQTTv311, 5: mqtt.MQTTv5}[level],
    **version,
)
if "will" in job:
    client.will_set(**job["will"])
client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
client.connect("127.0.0.1", job["port"])
client.loop_start()
acknowledged.wait()
for published in [client.publish(**message) for message in job.get("messages", [])]:
    published.wait_for_publish()
say("ready")
sys.stdin.read()
client.disconnect()
client.loop_stop()
