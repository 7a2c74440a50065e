"""Takes Opus packets out of a file, as a client has them before it writes one."""


def opus_packets(ogg: bytes, *, heads: int = 2) -> list[bytes]:
    """The packets of an Ogg stream, without the first `heads`, which are no sound."""
    packets, packet, at = [], b"", 0
    while at < len(ogg):
        assert ogg.startswith(b"OggS", at)
        lacing = ogg[at + 27 : at + 27 + ogg[at + 26]]
        at += 27 + len(lacing)
        for size in lacing:
            packet += ogg[at : at + size]
            at += size
            if size < 255:
                packets.append(packet)
                packet = b""
    return packets[heads:]
