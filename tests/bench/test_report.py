#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_report.py: what report.py does with figures that are there, lacking, or of a part that
failed; scripts/check runs it."""

import os
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
import peers
import plot
import report

HERE = os.path.dirname(os.path.abspath(__file__))


def wanted():
    """(WHAT, WAY, AT) of all that peers.py asks for."""
    keys = [key for goal in peers.GOALS for key in (goal.ours, goal.of) if key]
    for section in peers.SECTIONS:
        for row in section.rows:
            keys.append(row.ours)
            keys += [(peer.what, peer.way, peer.at) for peer in row.peers]
        for name in section.plots:
            spec = peers.PLOTS[name]
            keys += [(what, way, f"x={x}") for _, what, way in spec.lines for x in spec.at]
    return keys


def literal(way):
    """A way that the expression matches."""
    return re.sub(r"\\(.)", r"\1", way.replace(".*", ""))


class TestReport(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.mkdir(os.path.join(self.folder, "results"))
        # Of the wanted, all of 100 ns, by how obsring's and the others' are told apart.
        self.rows = {}
        for key in wanted():
            self.rows[key[0], literal(key[1]), key[2]] = ["ns", 100, 90, 110, 9]
        for part in peers.PARTS[1:]:
            self.write(part, "# run: R\n")

    def write(self, part, text):
        with open(os.path.join(self.folder, "results", part + ".tsv"), "w", encoding="utf-8") as file:
            file.write(text)

    def run_report(self):
        """The exit status, what it printed, and RESULTS.md."""
        lines = ["\t".join([*key, *(str(word) for word in row)]) for key, row in self.rows.items()]
        self.write(peers.PARTS[0], "# run: R\n# CPU: X, 2 online, \n" + "\n".join(lines) + "\n")
        ran = subprocess.run([sys.executable, "-B", os.path.join(HERE, "report.py"), self.folder],
                             stderr=subprocess.PIPE, text=True, check=False)
        text = ""
        if os.path.exists(os.path.join(self.folder, "RESULTS.md")):
            with open(os.path.join(self.folder, "RESULTS.md"), encoding="utf-8") as file:
                text = file.read()
        return ran.returncode, ran.stderr, text

    def test_all_there(self):
        status, printed, text = self.run_report()
        self.assertEqual((status, printed), (0, ""))
        self.assertNotIn("Missing", text)
        self.assertIn("All figures are of one run, R", text)
        self.assertIn("No peer wins a row.", text)
        self.assertIn("90.0–110 (9)", text)
        for section in peers.SECTIONS:
            for name in section.plots:
                xml.etree.ElementTree.parse(os.path.join(self.folder, "results", name + ".svg"))

    def test_peer_wins(self):
        row, peer = next((row, peer) for section in peers.SECTIONS for row in section.rows
                         for peer in row.peers if peer.kind == peers.PEER)
        self.rows[peer.what, literal(peer.way), peer.at][1] = 40
        status, _, text = self.run_report()
        self.assertEqual(status, 0)
        self.assertIn(f"* {row.name}: {peer.name} takes 0.40 of what {row.says} takes.", text)
        self.assertIn("**0.40: the peer wins**", text)

    def test_kinds(self):
        for kind, times, told in (
                (peers.PEER, 0.5, "**0.50: the peer wins** (why)"), (peers.PEER, 1.0, "1.00: even (why)"),
                (peers.PEER, 2.0, "2.00 (why)"), (peers.FLOOR, 0.5, "0.50 (why)"),
                (peers.MORE, 0.5, "**0.50: the peer wins** (why)"), (peers.MORE, 2.0, "2.00 (why)")):
            self.assertEqual(report.verdict(peers.Peer("", "", "", "", kind, "why"), times), told)

    def test_rates_the_other_way_round(self):
        ours, theirs = (report.Figure(f"w\tx\ty\treq/s\t{n}\t1\t1\t9") for n in (200, 100))
        self.assertEqual(report.ratio(theirs, ours), 2)

    def test_figure_lacks(self):
        key = next(iter(self.rows))
        del self.rows[key]
        status, printed, text = self.run_report()
        self.assertEqual(status, 1)
        self.assertIn(f"`{key[0]}`, {key[2]}", printed)
        self.assertIn("**Missing**", text)

    def test_point_of_a_plot_lacks(self):
        del self.rows[next(key for key in self.rows if key[0] == "scrape_cpu_one" and
                           key[2] == "x=1000000")]
        status, printed, _ = self.run_report()
        self.assertEqual(status, 1)
        self.assertIn("missing: the plot", printed)

    def test_part_failed(self):
        self.write(peers.PARTS[1], "# failed: R2\n# run: R\n")
        status, printed, text = self.run_report()
        self.assertEqual(status, 1)
        told = f"part {peers.PARTS[1]} failed in run R2: its figures are those of run R"
        self.assertIn(told, printed)
        self.assertIn(told, text)

    def test_short_run_is_told(self):
        self.write(peers.PARTS[1], "# run: R\n# short: a tenth\n")
        self.assertIn(f"not what it costs: {peers.PARTS[1]}.", self.run_report()[2])
        self.write(peers.PARTS[1], "# run: R\n# short: \n")
        self.assertNotIn("A short run", self.run_report()[2])

    def test_part_never_run(self):
        os.remove(os.path.join(self.folder, "results", peers.PARTS[1] + ".tsv"))
        self.assertEqual(self.run_report()[0], 1)

    def test_two_figures(self):
        key = next(iter(self.rows))
        self.write(peers.PARTS[1], "\t".join(key) + "\tns\t1\t1\t1\t9\n")
        status, printed, text = self.run_report()
        self.assertEqual((status, text), (1, ""))
        self.assertIn("two figures of", printed)


class TestPlot(unittest.TestCase):
    def test_axes(self):
        svg = plot.chart("T & t", "xs", "ys", [("a", [(1, 2, 1, 3), (10, 20, 10, 30)])], True, False)
        words = [element.text for element in xml.etree.ElementTree.fromstring(svg).iter()
                 if element.tag.endswith("text")]
        for word in ("T & t", "xs (logarithmic)", "ys", "a", "1", "10"):
            self.assertIn(word, words)

    def test_in_the_frame(self):
        for log in (False, True):
            axis = plot.Axis([0.3, 7, 4000], log, 100, 0)
            for value in (0.3, 7, 4000):
                self.assertTrue(0 <= axis.place(value) <= 100)


if __name__ == "__main__":
    unittest.main()
