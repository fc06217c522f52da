"""Which test holds which promise: writes `promises.md` from the names of the tests and from the tables below.

A test whose name begins with an ID, as `test_p5_…` or `test_i3_l3_…`, holds those rows. `ELSEWHERE` names the tests that
hold a row without saying so, and `LEFT_OUT` the rows, or the parts of one, that nothing holds, each with the reason.
`make promises` writes the table; a test compares it with what is there.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent
TABLE = Path(__file__).with_suffix(".md")
OF_NAME = re.compile(r"test_((?:[a-z]\d+b?_)+)")

ROWS = {
    "P1": "Killed before or after any step of a switch, or between any two, the battery runs again within 15 s of the next start, and has the right setpoint within 60 s.",
    "P2": "The same for a process that is killed at any system call that talks to the gateway or writes a file.",
    "P3": "After a power cut a small file has its old content or its new one, never a part of one, and losing it costs no switch.",
    "P3b": "The mark that the battery may stand still is on the disk before the first request that can stop it, and is cleared only after the battery was read to run.",
    "P4": "State that is corrupt, empty, huge, foreign or of another version is kept aside, and the daemon goes on from the file and the gateway.",
    "P5": "With a disk that is full, read-only or broken, switching goes on from memory, the status says so, and what was kept stays whole.",
    "P6": "SIGTERM in the middle of a switch finishes it or puts the battery back within 10 s and exits 0; SIGHUP never interrupts a switch, and a hundred of them are one reload.",
    "P7": "A process or a machine that slept wakes up to one look at what should be true now, not to a burst.",
    "P8": "A daemon that hangs says where and ends itself within 90 s, and one of which a part died by a bug at once.",
    "P9": "A second daemon on the same state directory exits 3 within a second and names the first; another writer at the gateway is reported, and not fought.",
    "P10": "Descriptors and memory stay constant over months, and a process that runs out of either is followed by one that goes on.",
    "P11": "A program that crashes again and again logs in no oftener than one that runs: 3 times in 5 minutes, 10 an hour, 30 a day, over restarts.",
    "P12": "State that an older version of this program has written is read.",
    "G1": "An expired session costs exactly one login.",
    "G2": "A wrong password is tried three times, over restarts too, and then once a day until it is another one.",
    "G3": "A role that may not write, or a switch on the Powerwall that nobody toggles, is told with the remedy and never answered with a login.",
    "G4": "A call that this firmware does not have, a redirect or a page in place of JSON is never taken for a matter of the login, and leads no secret elsewhere.",
    "G5": "After a 429 there is silence for 300 s to 3600 s, over restarts too, and then one careful request.",
    "G6": "Failures of the gateway are backed off from, 5 s to 60 s; a stop of our own is undone, one of somebody else is not.",
    "G7": "Whatever is wrong with the way, a call ends within 10 s in total and an attempt of a switch within 45 s.",
    "G8": "A byte now and then does not keep a call beyond those 10 s.",
    "G9": "An answer that makes no sense, or has no end, is an error in a sentence, costs at most 256 KiB, and the daemon goes on.",
    "G10": "Only what reads back counts: a write that is lost, ignored, late or clamped is found out, repeated at most three times at once, and then told once.",
    "G11": "A battery that does not behave as it reads back is told as not effective.",
    "G12": "What somebody sets in the app stands until the next boundary, or as the file says, also over a restart; nobody is fought.",
    "G13": "A gateway that is away for a reboot or an update is at the right setpoint within 120 s of its first good answer, and the next boundary is met.",
    "G14": "A name that is lost leads to where it led last; one that leads to another device costs no secret and ends with its cause.",
    "G15": "Another certificate than the trusted one gets not one byte of ours after the handshake, and is told once.",
    "G16": "Another gateway behind the same certificate is known by its serial number and gets neither token nor password.",
    "T1": "While nobody vouches for the machine's clock nothing is written to the gateway, except to start a battery that our login stopped.",
    "T2": "A step of the clock is noticed within 5 s and answered by a look at the plan; nothing is done twice, and there are at most 2 looks a second.",
    "T3": "Every clock change of every zone until 2037 is switched as the tariff means it: each window once, a start that is skipped at the end of the gap.",
    "T4": "Leap days, year ends and week 53 are days like any other: the next change is always later than now, and within 8 days.",
    "T5": "The site's zone is in the file and the machine's own zone changes nothing; a zone that is not known is an error of the file.",
    "T6": "Exactly one segment of the plan holds at each minute of 14 years.",
    "T7": "After hours asleep over several boundaries only what should be true now is applied.",
    "C1": "A broken file changes nothing: the last good plan goes on, over a restart too, and the line is named.",
    "C2": "An edit is taken up within 10 s by its content, however it was made and whatever its times say.",
    "C3": "A file that went away, may not be read, or is a pipe, a folder or 1 GB, is a problem in a sentence and nothing waits for it.",
    "C4": "YAML that means something else than it says (12:30, off, duplicate keys), bombs and other people's tags are refused with their line.",
    "C5": "10,000 rules are loaded and compiled within 3 s and 120 MB, and looked up in a moment.",
    "C6": "A password is taken from a secret file first, a corrected one is taken up while running, and no place shows it.",
    "C7": "A fault that lasts a month makes one line for each change of state and one an hour, and less than 200 KB of log a day.",
    "C8": "Nobody who reads the log too slowly, or not at all, holds the daemon up.",
    "C9": "The control loop is not held up by a page that many people read.",
    "S1": "A page answers only to its own names (DNS rebinding).",
    "S2": "A page of another site changes nothing (CSRF).",
    "S3": "A page gives no other site leave to read it (CORS).",
    "S4": "No path of a page leads further than it says.",
    "S5": "What a page shows of rules and logs is text, and never a script.",
    "S6": "A page bounds what it is sent.",
    "S7": "A page's token cannot be guessed.",
    "S8": "No secret gets out in any of six encodings: not into logs, files, arguments, errors or what is shown, over all faults of the gateway.",
    "S9": "Nothing is taken from a message broker that its owner did not say.",
    "S10": "The service is fenced in: `systemd-analyze security` says at most 1.5; the image runs as nobody, read-only, without any capability.",
    "S11": "What is installed is what was locked by hash; two builds give the same bytes; the bill of materials is the lock file.",
    "S12": "The program talks to the gateway, and to nobody else.",
    "I1": "The reserve that is sent is the one of the file, on the gateway's own scale, exactly and for ever; the mode is one that a rule can ask for.",
    "I2": "Nothing of the loop's ever stops a battery, and it starts one only if a mark says that we may have stopped it.",
    "I3": "A battery that we stopped stands still for at most 15 s while the process lives, 60 s with one kill, 120 s with any three faults, while the gateway can be reached.",
    "I4": "At most one switch is under way, and at most one process owns the gateway.",
    "I5": "Nothing is written while nobody vouches for the clock.",
    "I6": "A gateway that reads as desired is not written to.",
    "I7": "Nothing of ours is said on a connection before its certificate was compared.",
    "I8": "There are at most 3 logins in 5 minutes, 10 an hour and 30 a day, and none after a refusal that a person must mend.",
    "I9": "After a 429 nothing is asked for 300 s.",
    "I10": "A login is made again only after a 401, or a 403 of a session that is proven dead.",
    "I11": "A call ends within 10 s, an attempt within 45 s, and there are at most 600 requests an hour.",
    "I12": "A planted secret is in no sink.",
    "I13": "The generation in force is the hash of a file that was valid.",
    "I14": "The next look is in the future, and within a tick.",
    "I15": "The files of the state can be read after a crash at any step of a write.",
    "I16": "Memory and log are bounded.",
    "I17": "A change is put down to somebody only if our own write was read back before.",
    "I18": "A night with a clock change flips as often as any other.",
    "I19": "What is shown as actual was read, and says when; it is never the intent.",
    "I20": "The watchdog is fed by completed cycles and the calls within one, never by a timer.",
    "L1": "A boundary without faults is switched and verified within 60 s.",
    "L2": "After the last fault the setpoint is right within 120 s, or 360 s if that was a 429.",
    "L3": "After any crash the battery runs within 15 s and has the right setpoint within 60 s of the start.",
    "L4": "An edit is in force within 10 s.",
    "L5": "A hang ends the process within 90 s; within seven and a half minutes where a cycle does not end although the gateway answers.",
    "L6": "What was alerted is called off within 120 s after its cause is gone.",
    "L7": "A trouble that lasts for ever is asked about at most once a minute; with every fault at once and for ever there are at most four requests a minute.",
    "M1": "The same seed gives the same trace, in two processes.",
    "M2": "Plan and control read no clock, draw no chance and touch no file or socket.",
    "M3": "At least 30 planted bugs are all caught by the fast tests.",
    "M4": "In 80 simulated years each kind of fault is met at least a hundred times, and each is counted and printed.",
    "M5": "Each seed of a rehearsal takes a choice of the faults, not all of them.",
}
"""Each promise in our own words with its figure, by the ID of its row in the matrix of faults."""

ELSEWHERE = {
    "P1": """test_switch.py::test_a_broken_line_at_any_step_never_leaves_the_battery_stopped
        test_loop.py::test_a_crash_after_the_login_is_repaired_first test_firmware_kills.py::test_killed_at_any_step_it_ends_in_the_same_place
        test_firmware_kills.py::test_killed_twice_it_ends_in_the_same_place test_boot.py::test_killed_in_a_switch_it_comes_back_and_the_battery_runs""",
    "P3": """test_store.py::test_the_steps_of_a_durable_write_are_in_order test_store.py::test_a_step_that_fails_leaves_old_or_new
        test_store.py::test_a_full_disk_tears_nothing""",
    "P3b": """test_switch.py::test_the_mark_is_durable_before_a_login_that_can_stop_the_battery
        test_switch.py::test_the_mark_is_cleared_only_after_running_was_read test_store.py::test_a_mark_is_on_the_disk_before_note_returns""",
    "P5": "test_store.py::test_a_full_disk_tears_nothing test_store.py::test_a_mark_that_cannot_be_written_is_kept_and_told",
    "P6": """test_loop.py::test_stop_in_the_middle_of_a_switch_leaves_the_battery_running
        test_end_to_end.py::test_sigterm_ends_the_daemon_with_exit_code_0 test_boot.py::test_stopped_in_a_switch_it_ends_in_order_and_the_battery_runs""",
    "P7": "test_loop.py::test_hours_asleep_apply_only_what_should_be_now test_deadman.py::test_a_process_that_was_stopped_from_outside_goes_on",
    "P8": """test_deadman.py::test_a_process_that_hangs_says_where_and_ends test_deadman.py::test_a_process_that_hangs_ends_also_where_it_cannot_say_so
        test_deadman.py::test_a_real_daemon_that_hangs_ends_itself_and_the_next_one_goes_on test_image.py::test_a_daemon_that_hangs_is_found_out_and_ends_itself""",
    "P9": """test_end_to_end.py::test_a_second_daemon_names_the_first_and_exits_3 test_store.py::test_a_second_holder_is_refused_by_name
        test_store.py::test_the_lock_is_let_go_when_its_holder_dies""",
    "P11": """test_gateway_budget.py::test_the_budget_survives_a_restart test_gateway_budget.py::test_the_login_is_written_down_before_it_is_sent
        test_loop_trouble.py::test_processes_that_come_and_go_make_no_storm_of_a_gateway_that_lets_nobody_in""",
    "P12": "test_store.py::test_the_marks_of_an_older_program_still_count",
    "T3": "test_wallclock.py::test_golden_rows test_wallclock.py::test_the_law_at_every_clock_change_of_every_zone test_plan_compile.py::test_windows_when_the_clocks_change",
    "T5": "test_image.py::test_the_zone_of_the_container_does_not_matter test_config_refusals.py::test_bad_file_gets_its_expected_words",
    "T6": "test_plan_oracle.py::test_every_minute_is_what_the_oracle_says test_timeline.py::test_gaps_and_overlaps_are_refused",
    "T7": "test_loop.py::test_hours_asleep_apply_only_what_should_be_now",
    "C1": """test_config_refusals.py::test_shipped_file_cut_anywhere_gives_problems_or_a_configuration
        test_end_to_end.py::test_a_broken_edit_changes_nothing_and_status_names_the_line test_stay.py::test_a_start_with_a_broken_file_runs_the_last_good_plan
        test_config_load.py::test_byte_order_mark_and_windows_line_ends_are_fine""",
    "C2": """test_reload.py::test_renaming_over_the_file_is_noticed test_reload.py::test_a_swapped_symlink_is_noticed
        test_reload.py::test_the_same_time_and_size_hide_nothing test_reload.py::test_a_content_counts_once_it_was_read_twice""",
    "C3": """test_reload.py::test_deletion_and_return_are_noticed test_config_refusals.py::test_unreadable_files_are_refused
        test_config_refusals.py::test_file_without_permission_is_refused""",
    "C4": """test_config_refusals.py::test_bad_file_gets_its_expected_words test_config_refusals.py::test_hostile_text_is_refused_in_a_few_words
        test_config_load.py::test_scalars_follow_yaml_1_2""",
    "C5": "test_plan_compile.py::test_a_plan_of_many_rules_keeps_few_claims",
    "C6": """test_config_settings.py::test_secret_file_wins_over_the_environment test_config_settings.py::test_systemd_credential_is_found
        test_end_to_end.py::test_a_corrected_password_file_mends_a_running_daemon test_boot.py::test_a_new_password_is_taken_up""",
    "C7": "test_loop.py::test_permanent_trouble_is_said_once_and_asked_at_most_once_a_minute",
    "S8": """test_canary.py::test_real_processes_put_out_no_secret test_canary.py::test_a_wrong_password_is_put_out_by_nobody
        test_canary.py::test_real_processes_on_other_firmware test_redact.py::test_no_planted_secret_survives
        test_gateway_local.py::test_nothing_secret_is_ever_shown test_boot.py::test_no_secret_is_in_the_journal""",
    "S10": """test_unit.py::test_the_service_is_fenced_in test_unit.py::test_whatever_is_left_open_is_explained
        test_image.py::test_the_daemon_needs_two_folders_and_nothing_else test_image.py::test_any_user_will_do""",
    "S11": """test_package.py::test_two_builds_give_the_same_bytes test_package.py::test_the_bill_of_materials_is_the_lock_file
        test_package.py::test_what_the_wheel_asks_for_is_locked test_tidy.py::test_lock_files_name_versions_and_hashes_only
        test_workflows.py::test_what_is_published_was_attested_first""",
    "S12": "test_gateway_http.py::test_proxies_of_the_environment_are_not_used test_gateway_local.py::test_a_redirect_is_never_followed test_boot.py::test_it_is_fenced_in",
    "I1": """test_switch.py::test_a_thousand_switches_do_not_move_the_reserve_by_a_hair test_wire.py::test_measured_pairs_hold_exactly
        test_wire.py::test_numbers_that_are_sent_are_finite""",
    "I2": """test_switch.py::test_nothing_of_ours_ever_stops_the_battery_by_command test_switch.py::test_a_battery_stopped_by_somebody_else_is_left_alone
        test_gateway_local.py::test_what_a_login_says""",
    "I3": "test_switch.py::test_a_broken_line_at_any_step_never_leaves_the_battery_stopped test_loop_trouble.py::test_a_stop_by_our_own_lost_login_is_mended",
    "I4": "test_store.py::test_a_second_lock_in_the_same_process_is_refused test_end_to_end.py::test_a_second_daemon_names_the_first_and_exits_3",
    "I6": "test_switch.py::test_already_there_writes_nothing_and_still_starts_the_battery test_loop.py::test_without_a_change_nothing_is_written",
    "I7": "test_gateway_pin.py::test_an_impostor_receives_nothing test_gateway_pin.py::test_the_impostor_is_refused_every_time",
    "I8": "test_gateway_budget.py::test_no_window_ever_holds_more test_gateway_budget.py::test_each_bound_holds",
    "I9": "test_gateway_faults.py::test_g5_after_a_429_there_is_silence test_loop_trouble.py::test_a_silence_is_kept_over_a_restart",
    "I10": "test_gateway_answers.py::test_what_is_not_offered_is_said_in_words_and_never_answered_with_a_login test_gateway_answers.py::test_a_403_where_something_is_done_is_the_role",
    "I11": "test_gateway_http.py::test_the_deadline_is_a_total_one test_switch.py::test_an_attempt_is_over_in_time_whatever_hangs",
    "I12": "test_canary.py::test_real_processes_put_out_no_secret test_gateway_local.py::test_nothing_secret_is_ever_shown",
    "I13": "test_reload.py::test_the_digest_is_that_of_the_bytes test_loop.py::test_a_rejected_configuration_changes_nothing_and_is_shown",
    "I14": "test_loop.py::test_alarms_are_armed_for_every_boundary_and_moment test_loop_trouble.py::test_one_call_that_always_fails_makes_no_storm",
    "I15": "test_store.py::test_a_step_that_fails_leaves_old_or_new test_store.py::test_a_damaged_marker_is_told_and_mended",
    "I16": "test_store.py::test_the_journal_is_bounded test_gateway_faults_bodies.py::test_g9_a_body_without_end_costs_no_memory",
    "I20": "test_systemd.py::test_a_daemon_is_ready_after_its_first_cycle test_deadman.py::test_the_heartbeat_tells_of_a_daemon_that_stands_still",
    "L1": "test_loop.py::test_a_day_of_the_readme_is_switched_and_proven_without_any_alarm",
    "L2": "test_loop.py::test_an_outage_over_a_boundary_heals_within_two_minutes",
    "L3": "test_boot.py::test_killed_in_a_switch_it_comes_back_and_the_battery_runs",
    "L4": "test_reload.py::test_an_edit_is_noticed_once test_boot.py::test_an_edited_file_is_taken_up",
    "L5": "test_deadman.py::test_a_real_daemon_that_hangs_ends_itself_and_the_next_one_goes_on",
    "L7": "test_loop.py::test_permanent_trouble_is_said_once_and_asked_at_most_once_a_minute test_loop_trouble.py::test_what_is_refused_for_good_makes_no_storm_and_is_lifted_by_other_firmware",
    "M2": "test_floors.py::test_the_floors_hold",
}
"""Tests that hold a row without its ID in their names."""

LEFT_OUT = {
    "P11": "The matrix wants a program that only looks after five crashes in ten minutes. That is not built: the budget of logins, "
    "kept over restarts, bounds what a crash loop can do, and a daemon that only looked would miss the next peak.",
    "P12": "The matrix wants it both ways. What a newer version has written an older one need not read: what it cannot read it "
    "puts aside, and begins anew.",
    "C5": "The matrix wants 2 s and 60 MB, the design 120 MB; 119 MB were measured.",
    "C9": "There is no page.",
    "S1": "There is no page.",
    "S2": "There is no page.",
    "S3": "There is no page.",
    "S4": "There is no page; the simulated gateway is no part of a service.",
    "S5": "There is no page.",
    "S6": "There is no page.",
    "S7": "There is no page.",
    "S9": "There is no message broker.",
    "L5": "The matrix wants 90 s for every hang. A cycle in which the gateway answers looks no other than the switch of a slow "
    "gateway, which takes up to six minutes and must not be ended.",
    "L7": "The matrix wants one request a minute with every fault at once and for ever; there are up to four.",
    "M4": "The matrix wants a thousand, and thirty of each kind at each step. Each kind is met a hundred times in the 80 years, "
    "and kinds at steps are not counted there: small faults at each step are searched for by themselves.",
}
"""Rows that nothing holds, or whose promise is narrower than the matrix has it, and why."""

SECTIONS = {
    "P": "Process and disk",
    "G": "Gateway and network",
    "T": "Time",
    "C": "File and log",
    "S": "Security",
    "I": "What is always so",
    "L": "What comes to be so again",
    "M": "How it is proven",
}

HEAD = """# Promises, and the tests that hold them

Written by `make promises` from the names of the tests; do not edit it. An ID is the row of the project's matrix of faults.
*slow* are the tests of `make test-slow`, *partly slow* those of which `make test` runs a part; all others are `make test`'s.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """A test by ``place``, its file and name; ``speed`` is empty, or the word for one that is slow."""

    __test__ = False

    place: str
    speed: str

    def __str__(self) -> str:
        return f"`{self.place}`" + (f" ({self.speed})" if self.speed else "")


class Incomplete(Exception):
    """The table cannot be written, and why."""


@cache
def all_tests() -> Mapping[str, Test]:
    """All tests by file and name."""
    return {test.place: test for path in sorted(TESTS.glob("test_*.py")) for test in _tests_of(path)}


def _tests_of(path: Path) -> Iterator[Test]:
    tree = ast.parse(path.read_text())
    for_all = any(isinstance(it, ast.Assign) and "mark.slow" in ast.unparse(it) for it in tree.body)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            marks = [ast.unparse(it) for it in node.decorator_list]
            slow = for_all or "pytest.mark.slow" in marks
            partly = any("mark.slow" in it for it in marks)
            speed = "slow" if slow else "partly slow" if partly else ""
            yield Test(place=f"{path.name}::{node.name}", speed=speed)


def rows_of(place: str) -> tuple[str, ...]:
    """The IDs that the name of a test begins with, as the rows spell them."""
    found = OF_NAME.match(place.partition("::")[2])
    ids = found[1].strip("_").split("_") if found else []
    return tuple(id_[0].upper() + id_[1:] for id_ in ids)


def held() -> dict[str, list[Test]]:
    """For each row the tests that hold it; Incomplete for a test that is not there, and for an ID that no row has."""
    found: dict[str, list[Test]] = {row: [] for row in ROWS}
    for place, test in all_tests().items():
        for row in rows_of(place):
            if row not in ROWS:
                raise Incomplete(f"{place} holds {row}, and there is no such row")
            found[row].append(test)
    for row, places in ELSEWHERE.items():
        for place in places.split():
            if place not in all_tests():
                raise Incomplete(f"{row} is said to be held by {place}, and there is no such test")
            if all_tests()[place] not in found[row]:
                found[row].append(all_tests()[place])
    return found


def table() -> str:
    """The whole text; Incomplete if a row has neither a test nor a reason. A reason beside tests says what they do not hold."""
    found = held()
    bare = [row for row in ROWS if not found[row] and row not in LEFT_OUT]
    if bare:
        raise Incomplete(f"neither a test nor a reason for {', '.join(bare)}")
    parts = [HEAD]
    for letter, title in SECTIONS.items():
        parts.append(f"\n## {title}\n\n| ID | promise | held by |\n| --- | --- | --- |\n")
        for row, promise in ROWS.items():
            if row[0] == letter:
                word = "Narrower than the matrix" if found[row] else "Left out"
                by = [*map(str, found[row]), *([f"*{word}:* {LEFT_OUT[row]}"] if row in LEFT_OUT else [])]
                parts.append(f"| {row} | {promise} | {'<br>'.join(by)} |\n")
    return "".join(parts)


def main() -> int:
    """Write the table."""
    try:
        text = table()
    except Incomplete as error:
        print(error, file=sys.stderr)  # noqa: T201 - a program that prints
        return 1
    TABLE.write_text(text)
    rows = held()
    print(  # noqa: T201 - the same
        f"{TABLE.name}: {sum(1 for row in rows if rows[row])} of {len(rows)} rows are held by "
        f"{len({test for found in rows.values() for test in found})} tests"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
