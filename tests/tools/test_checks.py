#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The checks and generators of tools/ on small trees made for one purpose: each rule is broken once
and must be reported, and nothing else."""
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest
import unittest.mock
import xml.etree.ElementTree as xml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import amalgamate  # noqa: E402
import check_docs  # noqa: E402
import check_exports  # noqa: E402
import check_layers  # noqa: E402
import check_limits  # noqa: E402
import check_sizes  # noqa: E402
import count_tests  # noqa: E402
import extract_examples  # noqa: E402

GUARDED = "#ifndef MEMO_{0}_H\n#define MEMO_{0}_H\n{1}\n#endif\n"


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = pathlib.Path(folder.name)
        for name in ("src", "include/memolith", "docs"):
            (self.top / name).mkdir(parents=True)

    def write(self, name, text):
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


class Layers(Tree):
    def breaches(self):
        return list(check_layers.breaches(self.top))

    def test_a_room_may_include_what_it_stands_on(self):
        self.write("src/base/error.h", "")
        self.write("src/kernel/kernels.h", "")
        self.write("include/memolith/status.h", "")
        self.write("src/nn/norm.c", '#include "base/error.h"\n#include "kernel/kernels.h"\n'
                                    "#include <memolith/status.h>\n#include <math.h>\n")
        self.assertEqual(self.breaches(), [])

    def test_an_include_against_the_direction(self):
        self.write("src/nn/norm.h", "")
        self.write("src/kernel/ref.c", '#include "nn/norm.h"\n')
        self.assertEqual(self.breaches(), [
            "src/kernel/ref.c: includes nn/norm.h; room kernel may include base kernel"])

    def test_a_library_of_another_room(self):
        self.write("src/memory/db.c", "#include <sqlite3.h>\n")
        self.assertEqual(self.breaches(), ["src/memory/db.c: includes sqlite3.h; only store cli may"])

    def test_calls_of_another_room_outside_comments_and_strings(self):
        self.write("src/text/a.c", 'int f(void) { /* malloc(1) */ g("malloc(1)"); return h.free(1); }')
        self.assertEqual(self.breaches(), [])
        self.write("src/text/a.c", 'void f(void) { char *p = malloc(3); printf("\\"%s", p); }')
        self.assertEqual(self.breaches(), ["src/text/a.c: calls malloc(); only base may",
                                           "src/text/a.c: calls printf(); only cli may"])

    def test_unknown_room_missing_file_and_equal_names(self):
        self.write("src/attic/a.c", "")
        self.write("src/base/b.c", '#include "base/no.h"\n#include <memolith/no.h>\n')
        self.write("src/text/b.c", "")
        self.write("include/memolith/a.h", "#include <sys/stat.h>\n")
        self.assertEqual(self.breaches(), [
            "src/attic/a.c: room 'attic' is not in tools/check_layers.py",
            "src/base/b.c: includes base/no.h, which is not a file under src/",
            "src/base/b.c: includes memolith/no.h, which is not a public header",
            "include/memolith/a.h: a public header includes sys/stat.h",
            "src/text/b.c: base name also used by src/base/b.c"])


def function_of(n_lines, parameters="void", name="work"):
    return f"int {name}({parameters})\n{{\n" + "    step();\n" * (n_lines - 3) + "}\n"


class Sizes(Tree):
    def breaches(self):
        return check_sizes.breaches(self.top)[0]

    def test_at_the_limit_nothing_is_said(self):
        seven = ", ".join(f"int p{i}" for i in range(6)) + ", int (*f)(int, int), memo_err *err"
        self.write("src/text/a.c", "// x\n\n" + function_of(80, seven))
        self.write("src/kernel/k.c", function_of(120))
        self.write("src/text/b.c", "int x;\n" * 800)
        self.assertEqual(check_sizes.breaches(self.top), ([], 3, 2))

    def test_a_long_function_with_its_place(self):
        self.write("src/text/a.c", "// x\n\n" + function_of(81))
        self.write("src/kernel/k.c", function_of(121))
        self.assertEqual(self.breaches(), ["src/kernel/k.c:1: work has 121 lines, at most 120",
                                           "src/text/a.c:3: work has 81 lines, at most 80"])

    def test_a_signature_on_several_lines_counts(self):
        self.write("src/text/a.c", function_of(80).replace("int work(", "static int\nwork("))
        self.assertEqual(self.breaches(), ["src/text/a.c:1: work has 81 lines, at most 80"])

    def test_too_many_parameters(self):
        self.write("src/text/a.c", function_of(9, ", ".join(f"int p{i}" for i in range(8))))
        self.assertEqual(self.breaches(), ["src/text/a.c:1: work takes 8 parameters, at most 7"])

    def test_a_long_file_unless_generated(self):
        self.write("src/text/a.c", "int x;\n" * 801)
        self.write("src/text/b.c", "/* generated by a tool */\n" + "int x;\n" * 801)
        self.assertEqual(self.breaches(), ["src/text/a.c: 801 lines, at most 800"])


class Amalgamation(Tree):
    def setUp(self):
        super().setUp()
        patch = unittest.mock.patch.object(amalgamate, "TOP", self.top)
        patch.start()
        self.addCleanup(patch.stop)
        for name in amalgamate.PUBLIC:
            self.write(f"include/memolith/{name}", GUARDED.format(name[:-2].upper(), f"int {name[:-2]};"))

    def test_rooms_in_order_and_guarded_headers_once(self):
        self.write("src/base/error.h", GUARDED.format("ERROR", "int error;"))
        self.write("src/base/error.c", '#include "base/error.h"\n#include <memolith/status.h>\nint one;\n')
        self.write("src/kernel/tile.h", "int tile;\n")
        self.write("src/kernel/a.c", '#include <math.h>\n#include "base/error.h"\n'
                                     '#include "kernel/tile.h"\n#include "kernel/tile.h"\nint two;\n')
        text = amalgamate.source()
        self.assertEqual(text.count("int error;"), 1)
        self.assertEqual(text.count("int tile;"), 2)
        self.assertLess(text.index("int one;"), text.index("int two;"))
        self.assertIn("#include <math.h>", text)
        self.assertNotIn("#include <memolith/", text)
        self.assertNotIn('#include "base/', text)

    def test_a_room_or_header_that_it_does_not_know_is_an_error(self):
        self.write("src/attic/a.c", "")
        with self.assertRaises(SystemExit):
            amalgamate.source()
        self.write("include/memolith/attic.h", "")
        with self.assertRaises(SystemExit):
            amalgamate.public_header()


    def test_an_option_is_no_folder(self):
        argv = unittest.mock.patch.object(sys, "argv", ["amalgamate.py", "--help"])
        with argv, contextlib.redirect_stderr(io.StringIO()) as told:
            self.assertEqual(amalgamate.main(), 2)
        self.assertIn("FOLDER", told.getvalue())


class Limits(Tree):
    def setUp(self):
        super().setUp()
        patch = unittest.mock.patch.object(check_limits, "AREAS", {"files": range(1, 5)})
        patch.start()
        self.addCleanup(patch.stop)

    def test_each_number_is_tested_or_deferred(self):
        self.write("tests/unit/test_a.c", "static void test_limits_1_2_short(void **state)\n{\n}\n")
        self.write("tests/cli/a.t", "## limits 3: empty\n$ memolith\n")
        self.write("docs/RELIABILITY.md", "## Deferred bad inputs\n\n| n | why |\n|---|---|\n| 4 | later |\n")
        self.assertEqual(list(check_limits.breaches(self.top)), [])
        self.assertEqual(check_limits.named_tests(self.top)[2], ["tests/unit/test_a.c: test_limits_1_2_short"])

    def test_what_is_missing_or_unknown(self):
        self.write("tests/unit/test_a.c", "/* test_limits_1_x( */\nvoid test_limits_2_x(void **state)\n")
        self.write("tests/tools/test_b.py", "class B:\n    def test_limits_7_of_nothing(self):\n")
        self.write("tests/cli/a.t", "## 3 without the word\n## limits 4, 3x: not a number\n")
        self.write("docs/RELIABILITY.md", "| 4 | no list |\n## Deferred bad inputs\n| 3, 8-9 | x |\n## Other\n| 1 | y |\n")
        self.assertEqual(list(check_limits.breaches(self.top)), [
            "files: no test is named for 1, 4, and it is not deferred",
            "docs/RELIABILITY.md: 8 is deferred, but no area has it",
            "docs/RELIABILITY.md: 9 is deferred, but no area has it",
            "tests/tools/test_b.py: test_limits_7_of_nothing: no area has number 7"])


class Others(Tree):
    def test_examples_become_programs(self):
        self.write("README.md", "text\n```c\nint main(void) { return 0; }\n```\n")
        self.write("include/memolith/model.h", "/* x\n * @example one\n *   int x = 1;\n"
                   " *   if (x)\n *       go(); // prints: 1 2\n * done:\n *   stop();\n * @end\n */\n")
        with unittest.mock.patch.object(extract_examples, "TOP", self.top):
            (name, program), readme = list(extract_examples.examples())
        self.assertEqual(name, "one")
        self.assertIn("    int x = 1;\n    if (x)\n        go(); // prints: 1 2\ndone:\n    stop();\n", program)
        self.assertEqual(extract_examples.PRINTS.findall(program), ["1 2"])
        self.assertEqual(readme, ("readme_1", "int main(void) { return 0; }\n"))

    def test_exported_and_declared_symbols(self):
        self.write("include/memolith/model.h",
                   "MEMO_API const char *memo_a(int x);\nMEMO_API memo_status memo_b(\n    int (*f)(int));\n"
                   "static int memo_c(void);\n/* memo_d() */\n")
        with unittest.mock.patch.object(check_exports, "TOP", self.top):
            self.assertEqual(check_exports.declared(), {"memo_a", "memo_b"})
        self.assertEqual(list(check_exports.differences({"memo_a"}, {"memo_b"}, "x.so")), [
            "memo_a: missing from x.so", "memo_b: in x.so, not in tools/exports.txt"])

    def test_documents_name_what_exists(self):
        self.write("src/base/error.c", "int memo_fail(void)")
        self.write("docs/TOUR.md", "`src/base/error.c` `src/base/{error,no}.c` `src/ROOM/*.c` [a](no.md)"
                   " [b](../README.md#x) [c](https://example.org/x) `memo_fail()` `memo_gone()`")
        self.write("README.md", "`docs/` `tests/no/` `memo_gone()`")
        self.assertEqual(list(check_docs.breaches(self.top)), [
            "README.md: `tests/no/` does not exist", "docs/TOUR.md: `src/base/no.c` does not exist",
            "docs/TOUR.md: link to no.md leads nowhere", "docs/TOUR.md: no function memo_gone()"])

    def count(self, output, status="run"):
        case = xml.fromstring(f'<testcase status="{status}"><system-out/></testcase>')
        case.find("system-out").text = output
        return count_tests.counts(case)

    def test_counts_of_ctest_programs(self):
        cmocka = "[==========] Running 3 test(s).\n[ RUN      ] a\n[       OK ] a\n"
        self.assertEqual(self.count(cmocka + "[  SKIPPED ] b\n[  SKIPPED ] 1 test(s)\n[  SKIPPED ] b\n"), (1, 0, 1))
        self.assertEqual(self.count(cmocka + "[  FAILED  ] b\n[  FAILED  ] b\n", "fail"), (1, 1, 0))
        self.assertEqual(self.count(cmocka, "fail"), (1, 1, 0), "a crash counts")
        self.assertEqual(self.count("x\ncli: 7 passed, 0 failed, 2 skipped\n"), (7, 0, 2))
        self.assertEqual(self.count("7 passed, 0 failed, 2 skipped\n", "fail"), (7, 1, 2))
        self.assertEqual((self.count("quiet"), self.count("quiet", "fail")), ((1, 0, 0), (0, 1, 0)))


if __name__ == "__main__":
    program = unittest.main(exit=False, verbosity=0)
    bad = len(program.result.failures) + len(program.result.errors)
    print(f"{program.result.testsRun - bad} passed, {bad} failed, 0 skipped")
    sys.exit(1 if bad else 0)
