"""The table of cases: README.md is made of the files, and whatever happened to others has one."""
import table


def test_every_case_says_what_it_is():
    for path, ids, title, parts in table.cases():
        assert ids and title and set(parts) == {"There", "Needs", "Here"}, f"{path.name}: its docstring is not in the form of a case"
        assert "P" in parts["Here"], f"{path.name} names no promise"
        if ids[0].startswith("CVE"):
            assert path.name.startswith("test_" + ids[0].lower().replace("-", "_")), f"{path.name} is not named by its case"


def test_every_row_has_a_file_and_every_file_a_row():
    claimed = {i for _, ids, _, _ in table.cases() for i in ids}
    wanted = {i for row in table.ROWS for i in row}
    assert not wanted - claimed, f"nobody replays {sorted(wanted - claimed)}"
    assert not claimed - wanted, f"no row has {sorted(claimed - wanted)}"


def test_the_readme_is_the_table():
    assert (table.HERE / "README.md").read_text() == table.table(), "run table.py > README.md in tests/hostile/cases"
