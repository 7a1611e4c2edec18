#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# test-report-picture.sh PLOTTER: the pictures that test-report-plot draws are looked at as pictures. What a renderer makes of
# them must show what they are about, in its place and as long as it took, and nothing may be cut off at an edge.

set -euo pipefail

command -v rsvg-convert >/dev/null || { echo "there is no rsvg-convert (librsvg2-bin)"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$1" "$dir" >/dev/null 2>&1
for picture in "$dir"/*.svg; do
        rsvg-convert "$picture" -o "${picture%.svg}.png"
done

python3 - "$dir" <<'PY'
import struct, sys, zlib


class Picture:
    """A PNG of 8 bit RGB or RGBA, as rows of (r, g, b)."""

    def __init__(self, path, pixels=True):
        data = open(path, "rb").read()
        assert data[:8] == b"\x89PNG\r\n\x1a\n", path
        at, packed = 8, b""
        while at < len(data):
            size, kind = struct.unpack(">I4s", data[at:at + 8])
            body = data[at + 8:at + 8 + size]
            if kind == b"IHDR":
                self.width, self.height, depth, color, _, _, interlace = struct.unpack(">IIBBBBB", body)
                assert depth == 8 and color in (2, 6) and interlace == 0, (depth, color)
                n = 3 if color == 2 else 4
            elif kind == b"IDAT":
                packed += body
            at += 12 + size
        raw, stride, self.rows, row, known = zlib.decompress(packed), self.width * n, [], bytes(self.width * n), {}
        for y in range(self.height if pixels else 0):
            filtered = raw[y * (stride + 1):(y + 1) * (stride + 1)]
            # Most rows are like others.
            if (filtered, row) not in known:
                known[filtered, row] = self.unfilter(filtered[0], bytearray(filtered[1:]), row, n)
            row = known[filtered, row]
            self.rows.append([tuple(row[x:x + 3]) for x in range(0, stride, n)])

    @staticmethod
    def unfilter(how, row, above, n):
        for i in range(len(row) if how else 0):
            a = row[i - n] if i >= n else 0
            b, c = above[i], above[i - n] if i >= n else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            row[i] = (row[i] + (0, a, b, (a + b) // 2, paeth)[how]) & 255
        return bytes(row)

    def count(self, color, box):
        """How many pixels are close to it in (left, top, right, bottom)."""
        left, top, right, bottom = box
        return sum(max(abs(p - q) for p, q in zip(pixel, color)) <= 12
                   for row in self.rows[top:bottom] for pixel in row[left:right])

    def ink(self, box):
        left, top, right, bottom = box
        return sum(min(pixel) < 160 for row in self.rows[top:bottom] for pixel in row[left:right])

    def nothing_is_cut_off(self):
        w, h = self.width, self.height
        for box in ((0, 0, w, 3), (0, h - 3, w, h), (0, 0, 3, h), (w - 3, 0, w, h)):
            assert self.count((255, 255, 255), box) == (box[2] - box[0]) * (box[3] - box[1]), f"something is at the edge {box}"


def rgb(text):
    return tuple(bytes.fromhex(text))


directory = sys.argv[1]
pictures = {name: Picture(f"{directory}/{name}.png") for name in ("8", "hostile", "nothing")}
for name, picture in pictures.items():
    print(name, picture.width, picture.height)
    picture.nothing_is_cut_off()
    assert picture.ink((20, 15, 600, 45)) > 300, f"{name} has no title"

# The stages as long as they took: prepare 3 s, shutdown 4 s, the jump 0.6 s; the blackout 10 s.
eight = pictures["8"]
line = (240, 100, 1070, 101)
second = eight.count(rgb("f2b366"), line) / 4
assert second > 20, second
for what, color, seconds in ("prepare", "8fbfe8", 3), ("jump", "e0736c", 0.6):
    seen = eight.count(rgb(color), line)
    assert abs(seen - seconds * second) <= 3, (what, seen, seconds * second)
blackout = max(eight.count(rgb("2b333b"), (240, y, 1070, y + 1)) for y in range(128, 155))
assert abs(blackout - 10 * second) <= 4, (blackout, second)

# Each session a row: name, bar and outcome. A lost one is red to the end, an unclaimed one pale.
for i in range(8):
    y = 302 + 24 * i
    assert eight.ink((100, y - 9, 240, y + 9)) > 100, f"session {i} has no name"
    assert eight.ink((1070, y - 9, 1230, y + 9)) > 30, f"session {i} has no outcome"
    assert eight.count(rgb("2e8b57"), (250, y - 6, 330, y + 6)) > 20, f"session {i} has no mark for ready"
    assert eight.count(rgb("1f5fa8"), (600, y - 6, 720, y + 6)) > 20 or i in (3, 5), f"session {i} has no mark for claimed"
    assert (eight.rows[y + 3][1000][0] > eight.rows[y + 3][1000][1] + 40) == (i == 5), f"session {i} is lost, or not"

# As many rows as there are sessions; what nobody knows is no bar.
height = Picture(f"{directory}/300.png", pixels=False).height
assert height - eight.height == 292 * 24, height
assert pictures["nothing"].count(rgb("f2b366"), line) == 0
PY
