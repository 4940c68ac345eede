"""Messages stay one line that a terminal shows."""
from lib.utils.errors import SniperError


def test_an_endless_word_loses_its_middle():
    message = str(SniperError('width is ' + 'a' * 5000 + ' , not a number'))
    assert message == 'width is ' + 'a' * 200 + '...' + 'a' * 100 + ' , not a number'


def test_words_of_a_path_s_length_stay():
    message = 'image /data/' + 'x' * 255 + '/' + 'y' * 200 + ' is missing'
    assert str(SniperError(message)) == message


def test_line_breaks_and_commands_of_terminals_go():
    assert str(SniperError('a\nb\x1b[2J\tc')) == 'a b?[2J c'
