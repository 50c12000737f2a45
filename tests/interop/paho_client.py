"""A client of the Paho library that does what the first line of its standard input, a JSON object, says.

It connects, subscribes to "filters" if there are any, publishes "messages" if there are any, and prints "ready". Each message that
it gets is printed as one line of JSON. It disconnects when its standard input ends.
"""
import json
import os
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

job = json.loads(sys.stdin.readline())
level = job.get("level", 4)
acknowledged = threading.Event()
told = [
    "payloadFormatIndicator",
    "messageExpiryInterval",
    "contentType",
    "responseTopic",
    "correlationData",
    "subscriptionIdentifier",
    "userProperties",
]


def say(line):
    """Prints a line in one go: two threads print."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def give_up(why):
    """Ends the process, from whichever thread."""
    print(why, file=sys.stderr, flush=True)
    os._exit(1)


def attribute(name):
    """What Paho calls a property."""
    return "UserProperty" if name == "userProperties" else name[0].upper() + name[1:]


def theirs(packet_type, properties):
    """Properties as Paho wants them, which has none up to MQTT 3.1.1."""
    if level < 5:
        return None
    result = Properties(packet_type)
    for name, value in properties.items():
        if name == "correlationData":
            value = value.encode()
        if name == "userProperties":
            value = [tuple(pair) for pair in value]
        setattr(result, attribute(name), value)
    return result


def ours(properties):
    """Properties as the tests want them."""
    found = {name: getattr(properties, attribute(name)) for name in told if hasattr(properties, attribute(name))}
    if "correlationData" in found:
        found["correlationData"] = found["correlationData"].decode()
    if "payloadFormatIndicator" in found:
        found["payloadFormatIndicator"] = found["payloadFormatIndicator"] == 1
    if "subscriptionIdentifier" in found:
        found["subscriptionIdentifier"].sort()
    return found


def on_connect(client, _userdata, _flags, code, *_properties):
    if code != 0:
        give_up(f"Refused: {code}")
    if job.get("filters"):
        identifier = {"subscriptionIdentifier": job["identifier"]} if "identifier" in job else {}
        filters = [(topic_filter, job["qos"]) for topic_filter in job["filters"]]
        client.subscribe(filters, properties=theirs(PacketTypes.SUBSCRIBE, identifier))
    else:
        acknowledged.set()


def on_subscribe(_client, _userdata, _packet_id, granted, *_properties):
    if any(qos != job["qos"] for qos in granted):
        give_up(f"Granted: {[str(qos) for qos in granted]}")
    acknowledged.set()


def on_message(_client, _userdata, message):
    properties = ours(message.properties) if level == 5 else {}
    say(json.dumps({
        "topic": message.topic,
        "payload": message.payload.decode(),
        "qos": message.qos,
        "retain": bool(message.retain),
        **({"properties": properties} if properties else {}),
    }))


def with_properties(packet_type, message):
    """A message as Paho's functions take it."""
    return {**message, "properties": theirs(packet_type, message.get("properties", {}))}


# Version 2 of the library wants to be told which callbacks it is given.
version = {"callback_api_version": mqtt.CallbackAPIVersion.VERSION1} if hasattr(mqtt, "CallbackAPIVersion") else {}
client = mqtt.Client(
    client_id=job["id"],
    clean_session=None if level == 5 else job.get("clean", True),
    protocol={3: mqtt.MQTTv31, 4: mqtt.MQTTv311, 5: mqtt.MQTTv5}[level],
    **version,
)
if "will" in job:
    client.will_set(**with_properties(PacketTypes.WILLMESSAGE, job["will"]))
client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
start = {
    "clean_start": job.get("clean", True),
    "properties": theirs(PacketTypes.CONNECT, {"sessionExpiryInterval": job.get("expiry", 0)}),
} if level == 5 else {}
client.connect("127.0.0.1", job["port"], **start)
client.loop_start()
acknowledged.wait()
messages = [with_properties(PacketTypes.PUBLISH, message) for message in job.get("messages", [])]
for published in [client.publish(**message) for message in messages]:
    published.wait_for_publish()
say("ready")
sys.stdin.read()
client.disconnect()
client.loop_stop()
