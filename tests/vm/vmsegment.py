"""An Ethernet segment between virtual machines, with links that can be cut."""
from __future__ import annotations

import selectors
import socket
import threading

FRAME_BYTES_MAX = 65536


class Segment:
    """A hub: what one machine sends reaches every other whose link is up.

    Each machine holds one end of a Unix datagram pair, one frame a datagram. The hub runs in a thread of its own; a
    machine that does not keep up loses frames, as on a real segment.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._ports: dict[int, socket.socket] = {}
        self._cut: set[int] = set()
        self._stopping = False
        self._thread = threading.Thread(target=self._forward, name="segment", daemon=True)
        self._thread.start()

    def attach(self, port: int) -> socket.socket:
        """Connect a machine as `port`, in place of the one that had it; return the machine's end."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        ours.setblocking(False)
        with self._lock:
            old = self._ports.get(port)
            if old is not None:
                self._selector.unregister(old)
                old.close()
            self._ports[port] = ours
            self._selector.register(ours, selectors.EVENT_READ, port)
        self._waker.send(b"x")
        return theirs

    def cut(self, port: int) -> None:
        """Lose all frames from and to `port` from now on."""
        with self._lock:
            self._cut.add(port)

    def heal(self, port: int) -> None:
        """Undo `cut`."""
        with self._lock:
            self._cut.discard(port)

    def close(self) -> None:
        """Stop forwarding and close all ports."""
        self._stopping = True
        self._waker.send(b"x")
        self._thread.join()
        self._selector.close()
        for end in (self._wake, self._waker, *self._ports.values()):
            end.close()

    def _forward(self) -> None:
        while not self._stopping:
            for key, _ in self._selector.select():
                if key.fileobj is self._wake:
                    self._drain_wake()
                    continue
                with self._lock:
                    self._forward_from(key.data)

    def _drain_wake(self) -> None:
        try:
            self._wake.recv(4096)
        except BlockingIOError:
            pass

    def _forward_from(self, source: int) -> None:
        try:
            frame = self._ports[source].recv(FRAME_BYTES_MAX)
        except OSError:  # nothing there any more, or the machine is gone
            return
        if source in self._cut:
            return
        for port, end in self._ports.items():
            if port != source and port not in self._cut:
                try:
                    end.send(frame)
                except OSError:  # a full queue or a machine that is gone: the frame is lost
                    pass
