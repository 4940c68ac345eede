"""The evaluation of WIDER FACE, without MATLAB: lists of faces, files of detections, average precision.

    lists.py        which faces count in the settings easy, medium and hard: wider_<setting>_<set>.mat
    text_files.py   a text file a picture with what was found in it
    scoring.py      detections against faces -> curves and average precision, arrays only
    evaluation.py   what a test writes and reports, lib.dataset.formats.wider

Source: reference/other_detectors.md C ("Official AP"), more_ssh.md ("Evaluator remarks").
"""
