"""The Ethernet segment of a cluster of virtual machines: a hub in this process, whose links can be cut."""
from __future__ import annotations

import selectors
import socket
import threading
from pathlib import Path

FRAME_BYTES_MAX = 65536 + 64


class Ethernet:
    """Passes each frame of a node to all others that it has a link to. A node that is off gets nothing, as on a wire."""

    def __init__(self, directory: Path, nodes: int):
        self._ports: dict[int, socket.socket] = {}
        self._directory = directory
        self._cut: frozenset[frozenset[int]] = frozenset()
        self._selector = selectors.DefaultSelector()
        self._stop_reader, self._stop_writer = socket.socketpair()
        self._selector.register(self._stop_reader, selectors.EVENT_READ, None)
        for node in range(1, nodes + 1):
            port = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            port.bind(str(self._hub_path(node)))
            port.setblocking(False)
            self._ports[node] = port
            self._selector.register(port, selectors.EVENT_READ, node)
        self._thread = threading.Thread(target=self._run, name="ethernet", daemon=True)
        self._thread.start()

    def _hub_path(self, node: int) -> Path:
        return self._directory / f"hub{node}.sock"

    def _node_path(self, node: int) -> Path:
        return self._directory / f"net{node}.sock"

    def qemu_netdev(self, node: int) -> str:
        """The value of QEMU's -netdev for `node`, with the id `net`."""
        self._node_path(node).unlink(missing_ok=True)
        return (f"dgram,id=net,local.type=unix,local.path={self._node_path(node)},"
                f"remote.type=unix,remote.path={self._hub_path(node)}")

    def isolate(self, node: int) -> None:
        """Cut the links between `node` and all others."""
        self._cut |= {frozenset((node, other)) for other in self._ports if other != node}

    def heal(self) -> None:
        """Join all links that were cut."""
        self._cut = frozenset()

    def close(self) -> None:
        self._stop_writer.close()
        self._thread.join()
        self._selector.close()
        for port in (*self._ports.values(), self._stop_reader):
            port.close()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                self._forward(key.data)

    def _forward(self, sender: int) -> None:
        try:
            frame = self._ports[sender].recv(FRAME_BYTES_MAX)
        except BlockingIOError:
            return
        for receiver, port in self._ports.items():
            if receiver != sender and frozenset((sender, receiver)) not in self._cut:
                try:
                    port.sendto(frame, str(self._node_path(receiver)))
                except OSError:
                    pass  # off, or its queue is full: an Ethernet drops the frame
