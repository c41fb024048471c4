# SPDX-License-Identifier: MIT
"""Services of processes: a process that counts, and what is told of it."""
import ctypes
import errno
import fcntl
import mmap
import os
import struct

from ynl_module import Events, Module, refused
from ynl_tap import equal, test

DEVICE = "/dev/obsring"
SERVICE = "ynl_service"
FAMILY = "ynl_order"
MODULE = Module()

# struct obsring_attach, struct obsring_metric and their ioctls, by <linux/obsring.h>.
ATTACH = struct.Struct("=IIIiQIIII128s")
METRIC = struct.Struct("=IBBbbIIhhIIIQQIIII")
STATE = 5


def request(number, size):
    return 3 << 30 | size << 16 | 0xf7 << 8 | number


class Member:
    """This process as a member of the service, with a state set in it."""

    def __init__(self):
        device = os.open(DEVICE, os.O_RDWR)
        asked = bytearray(ATTACH.pack(ATTACH.size, 0, 0, 0, 0, 0, 0, 0, 0, SERVICE.encode()))
        fcntl.ioctl(device, request(3, ATTACH.size), asked)
        os.close(device)
        told = ATTACH.unpack(asked)
        self.fd = told[3]
        self.memory = mmap.mmap(self.fd, told[4])
        self.make_states()

    def make_states(self):
        text = bytearray(b"\0".join((FAMILY.encode(), b"h", b"", b"new", b"paid")) + b"\0")
        where = (ctypes.c_char * len(text)).from_buffer(text)
        asked = bytearray(METRIC.pack(
            METRIC.size, STATE, 0, 0, 0, 0, 0, 0, 0, 2, len(text), 0,
            ctypes.addressof(where), 0, 0, 0, 0, 0))
        fcntl.ioctl(self.fd, request(4, METRIC.size), asked)

    def leave(self):
        self.memory.close()
        os.close(self.fd)


def services():
    return {(s["name"], s["uid"]): s for s in MODULE.dump("service-get")}


@test
def services_are_told_and_removed():
    events = Events("ynl_")
    member = Member()
    told = [event for event in events.take(3) if event[0] == "service-new-ntf"]
    equal(told, [("service-new-ntf", {"name": SERVICE, "uid": 0})], "told")
    service = services()[(SERVICE, 0)]
    equal((service["members"], service["series"], service["ttl"]), (1, 1, 604800), "it")
    equal("detached-ns" in service, False, "that it has no end")
    family = MODULE.do("family-get", name=FAMILY)
    equal((family["kind"], family["state-name"], family["label-name"]),
          ("state", ["new", "paid"], ["service", "uid"]), "its family")
    equal(MODULE.dump("family-get")[-1]["state-name"], ["new", "paid"], "its family in a dump")
    refused(lambda: MODULE.do("service-del", name=SERVICE, uid=0), errno.EBUSY,
            "the service has members: processes are attached to it")
    member.leave()
    equal(services()[(SERVICE, 0)]["members"], 0, "its members")
    equal("detached-ns" in services()[(SERVICE, 0)], True, "that the last one has left")

    device = os.open(DEVICE, os.O_RDWR)
    reading = os.open(DEVICE, os.O_RDONLY)
    equal((SERVICE, 0) in {(s["name"], s["uid"])
                           for s in MODULE.dump("service-get", device_fd=reading)},
          True, "that it is listed to who names the device")
    refused(lambda: MODULE.do("service-set", name=SERVICE, uid=0, ttl=5, device_fd=reading),
            errno.EBADF, "this is no descriptor of the device that is open for writing",
            "device-fd")
    equal(MODULE.do("service-set", name=SERVICE, uid=0, ttl=3600, device_fd=device), None,
          "the answer")
    equal(services()[(SERVICE, 0)]["ttl"], 3600, "its time to live")
    events.drain()
    equal(MODULE.do("service-del", name=SERVICE, uid=0, device_fd=device), None, "the answer")
    os.close(device)
    os.close(reading)
    told = [event for event in events.take(3) if event[0] == "service-del-ntf"]
    equal(told, [("service-del-ntf", {"name": SERVICE, "uid": 0})], "told")
    events.close()
    equal((SERVICE, 0) in services(), False, "that it is there")


@test
def services_are_named_whole():
    for operation, more in (("service-del", {}), ("service-set", {"ttl": 1})):
        refused(lambda: MODULE.do(operation, name=SERVICE, **more), errno.EINVAL,
                "a service is named by name and uid")
        refused(lambda: MODULE.do(operation, uid=0, **more), errno.EINVAL,
                "a service is named by name and uid")
        refused(lambda: MODULE.do(operation, name=SERVICE, uid=7, **more), errno.ENOENT,
                "this user has no service of that name")
    refused(lambda: MODULE.do("service-set", name=SERVICE, uid=0), errno.EINVAL,
            "attribute ttl is missing")
