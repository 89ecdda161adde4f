# SPDX-License-Identifier: LGPL-2.1-or-later
"""The recorded transcripts on a kernel: the incumbent proves the runner, ours must say the same."""
import concurrent.futures
import json

import pytest
import transcripts
from cache import Unavailable
from conftest import cannot_run
from normal import Normal


@pytest.fixture(scope="session")
def played(request):
    """(path, programs) → what play() found; all that is asked for starts at once, two kernels at a time"""
    threads = concurrent.futures.ThreadPoolExecutor(2)
    wanted = [(i.callspec.params["path"], i.function.programs) for i in request.session.items if hasattr(i.function, "programs")]
    runs = {(path, programs): threads.submit(transcripts.play, path, programs) for path, programs in wanted}
    yield lambda path, programs: runs[path, programs].result()
    threads.shutdown(cancel_futures=True)


def differences(played, path, programs):
    try:
        count, wrong = played(path, programs)
    except Unavailable as e:
        cannot_run(e)
    assert count > 5
    return "\n".join(line for name, lines in wrong.items() for line in [name, *lines])


def by_name(path):
    return path.stem


@pytest.mark.parametrize("path", transcripts.scenarios(), ids=by_name)
def test_ours(played, path):
    found = differences(played, path, "siskin")
    assert not found, found


@pytest.mark.full
@pytest.mark.parametrize("path", transcripts.scenarios("2.1.8"), ids=by_name)
def test_the_incumbent(played, path):
    found = differences(played, path, "2.1.8")
    assert not found, found


test_ours.programs = "siskin"
test_the_incumbent.programs = "2.1.8"


# --- the runner can fail, and its tokens are what the recording used --------------------------------------------------------

@pytest.mark.full
@pytest.mark.parametrize("change", [{"rc": 3}, {"stdout": "other\n"}, {"stderr": "something\n"}], ids=lambda c: next(iter(c)))
def test_a_wrong_expectation_is_seen(tmp_path, change):
    lines = (transcripts.DATA / "full" / "01b-usage.jsonl").read_text().splitlines()[:3]
    case = json.loads(lines[1])
    case["expect"]["2.1.8"].update(change)
    path = tmp_path / "changed.jsonl"
    path.write_text("\n".join([lines[0], json.dumps(case), *lines[2:]]) + "\n")
    try:
        count, wrong = transcripts.play(path, "2.1.8")
    except Unavailable as e:
        cannot_run(e)
    assert count == 2 and list(wrong) == [case["id"]]


def test_tokens():
    n = Normal()
    assert n.text("tcp: [7] 127.0.0.1:3260,1 iqn.a:b (non-flash)\n") == "tcp: [{SID1}] 127.0.0.1:3260,1 iqn.a:b (non-flash)\n"
    assert n.text("Logout of [sid: 9, target: x]\nsession7 sid 9\n") == "Logout of [sid: {SID2}, target: x]\nsession{SID1} sid {SID2}\n"
    assert n.text("Logout of [sid: 9, target: x]", ["SID"]) == "Logout of [sid: {SID}, target: x]"
    assert n.text("tcp: [3] 10.0.0.1,[<empty>],<empty> <empty>") == "tcp: [{HOST1}] 10.0.0.1,[<empty>],<empty> <empty>"
    assert n.text("\tscsi3 Channel 00 Id 0 Lun: 1\n\tAttached scsi disk sdc\n") == \
        "\tscsi{HOST1} Channel 00 Id 0 Lun: 1\n\tAttached scsi disk {DISK1}\n"
    assert n.text("# BEGIN RECORD 2.1.8\nlibkmod: no\n\ttxdata_octets: 17\n") == "# BEGIN RECORD {VERSION}\n\ttxdata_octets: {N}\n"
    assert n.fill("iscsiadm -m session -r {SID2} -H {HOST1}") == "iscsiadm -m session -r 9 -H 3"
