"""Which test has which row of the list of faults; that they are there; and that docs/errors.md has no others.

The list is of fifty inputs and faults that a tool for translation meets, and of what a good one does; the rows from 51
on are our own. Where it says "here", the tests are in this folder, named by the row; else they are in tests/.

    row  fault                           where
    1    empty training source           here
    2    empty validation text           here
    3    missing file, no permission     here
    4    place that cannot be written    here
    5    sides of unequal length         here
    6    blank line on one side          here
    7    all lines blank                 here
    8    odd line ends                   data/test_corpus.py::test_lines_end_at_newline_alone
                                         test_cli_translate.py::test_a_line_out_for_every_line_in
    9    byte order mark                 here
                                         data/test_corpus.py::test_lines_end_at_newline_alone
    10   invalid UTF-8                   here
    11   UTF-16, gzip, binary as text    here
    12   NUL byte                        here: refused where one learns from it, kept where one translates
                                         test_cli_translate.py::test_a_line_out_for_every_line_in
    13   one line of 10 MB               here
                                         test_cli_translate.py::test_line_without_end
    14   sentence of 5,000 tokens        data/test_filtering.py::test_counts_what_it_drops
                                         fuzz/test_batching.py::test_every_pair_once_within_the_budget
    15   out of memory in training       training/test_step.py::test_out_of_memory_names_the_batch_and_the_setting
    16   out of memory in search         here
    17   vocabulary too large            data/test_tokenizer.py::test_vocabulary_shrinks_to_what_the_text_supports
                                         and the notice in row 6's test
    18   vocabulary too small            here
    19   characters never seen           fuzz/test_text.py::test_any_text_survives_but_for_white_space
                                         inference/test_translator.py::test_unseen_script_and_emoji_translate_to_one_line
    20   control symbols as text         data/test_tokenizer.py::test_control_symbols_in_a_text_are_plain_text
    21   model that says line ends       here
    22   no word, or no end              here
                                         inference/test_search.py::test_ends_at_the_length_bound_with_eos
    23   beams and options without sense here
                                         inference/test_search.py::test_beam_wider_than_the_vocabulary
    24   laws of search                  inference/test_search_laws.py::test_laws
                                         inference/test_translator.py::test_company_and_order_change_nothing
    25   NaN: in weights, loss, gradient here
                                         training/test_loop.py::test_non_finite_loss_stops_before_the_weights_change
                                         training/test_loop.py::test_non_finite_gradient_is_named_and_may_be_left_out
    26   loss that rises slowly          training/test_loop.py::test_early_stopping_keeps_the_best
                                         (training.patience stops it; the model kept is the best one)
    27   settings out of range           here
    28   kill -9 at random instants      training/test_crashes.py::test_killed_60_times_at_random_instants
    29   kill -9 between files           training/test_crashes.py::test_killed_at_every_operation_on_files
                                         training/test_resume.py::test_half_written_checkpoint_is_named_and_removed
    30   signals                         training/test_crashes.py::test_signal_in_a_step_saves_it_and_is_the_status
                                         training/test_crashes.py::test_second_interrupt_stops_at_once
    31   full disk                       training/test_crashes.py::test_full_disk_leaves_the_old_checkpoint
    32   damaged weights, checkpoints    here
    33   pickles                         sharing/test_model_files.py::test_nothing_is_ever_unpickled
                                         faults/test_security.py::test_resuming_a_run_unpickles_nothing
    34   config with mistakes            here
    35   weights that do not fit         here
    36   resumed with something else     here
                                         training/test_resume.py::test_resume_refuses_another_vocabulary
                                         training/test_processes.py::test_two_processes_resume_as_two_and_as_one
    37   resumed twice, at epoch's end   training/test_resume.py::test_resumed_twice_within_an_epoch_equals_unbroken
                                         training/test_resume.py::test_resumed_around_the_end_of_an_epoch_equals_unbroken
                                         training/test_resume.py::test_resumed_after_early_stopping
                                         training/test_resume.py::test_resume_on_another_machine_is_reported
                                         (no workers load batches: there is no number of them to change)
    38   two trainings in one folder     here
    39   one of two processes dies       training/test_processes.py::test_a_process_that_dies_ends_the_other_with_a_line
    40   one process, two, accumulation  training/test_processes.py::test_two_processes_train_as_one
                                         training/test_step.py::test_accumulated_over_two_is_one_big_batch
    41   no network, no home             here
                                         data/test_corpus.py::test_hub_out_of_reach
    42   tables and folders of datasets  here
                                         data/test_corpus.py::test_refuses_broken_tables
                                         data/test_corpus.py::test_no_sentence_is_taken_for_a_missing_value_or_number
                                         data/test_corpus.py::test_nulls_are_empty_sentences
                                         data/test_corpus.py::test_refuses_what_a_hub_dataset_lacks
    43   references that do not fit      here
                                         test_cli_evaluate.py::test_tokenized_translations_are_noted_in_one_line
                                         evaluation/test_metrics.py::test_chinese_is_tokenized_as_chinese
    44   test pairs in the training text test_cli_evaluate.py::test_everything_at_once
                                         (evaluate --overlap counts them; nothing is dropped unasked)
    45   closed, full and broken streams here
                                         test_cli_translate.py::test_chunks_are_what_has_come
                                         test_cli_translate.py::test_prompt
    46   locale, odd names               here
    47   same time stamp, other content  data/test_tokenized.py::test_tokenized_once_whatever_the_time_stamp_says
                                         data/test_corpus.py::test_content_decides_where_size_and_time_are_the_same
    48   server                          none: there is no server yet
    49   absent device, number format    here
    50   any text, lengths, settings     fuzz/test_text.py::test_any_lines_come_back
                                         fuzz/test_text.py::test_any_text_survives_but_for_white_space
    51   results that replace something  here
    52   YAML that says something else   here
    53   settings that do not exist      here
    54   folders of something else       here
    55   copies beside the checkpoints   here
    56   records edited by hand          here
    57   one string in place of a list   here
    58   another tokenizer of equal size here
    59   options that do not go together here
    60   models to start from that do not fit here
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = "\n".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))


def test_every_row_has_its_tests():
    found: dict[int, list[str]] = {}
    for row, where in re.findall(r"^ {4}(\d+|)(?: .*?)?\s+(here|none|\S+\.py::\w+)", __doc__, re.MULTILINE):
        found.setdefault(int(row) if row else max(found), []).append(where)
    assert list(found) == list(range(1, 61))
    for row, places in found.items():
        assert ("here" in places) == (f"def test_fault_{row:02}_" in HERE), row
        for file, _, name in (place.partition("::") for place in places if "::" in place):
            assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), f"{row}: {file}::{name}"


def test_page_has_no_row_of_a_test_that_is_gone(pytestconfig):
    if pytestconfig.getoption("--write-errors"):
        pytest.skip("it is being written")
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    names = re.findall(r"^\| (\d+) \| ([\w ]+) \|", page, re.MULTILINE)
    assert len(names) > 20
    for row, what in names:
        assert f"def test_fault_{int(row):02}_{what.replace(' ', '_')}(" in HERE
