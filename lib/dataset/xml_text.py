"""XML files in whatever encoding, for a parser that knows UTF-8.

Expat reads encodings of one byte a letter and no others, and believes every declaration. Tools write GB2312, Big5,
Shift JIS or EUC-KR, UTF-16 with or without a mark, or declare UTF-16 and write UTF-8. (XML 1.0, appendix F)
"""
import codecs
import re
from typing import NamedTuple

UNREADABLE = '\ufffd'  # stands where a byte is no letter
_MARKS = [(codecs.BOM_UTF32_LE, 'utf-32'), (codecs.BOM_UTF32_BE, 'utf-32'), (codecs.BOM_UTF8, 'utf-8-sig'),
          (codecs.BOM_UTF16_LE, 'utf-16'), (codecs.BOM_UTF16_BE, 'utf-16'),
          (b'<\0', 'utf-16-le'), (b'\0<', 'utf-16-be')]
_DECLARED = re.compile(rb'\s*<\?xml[^>]{0,200}?\sencoding\s*=\s*["\']([\w.:-]{1,40})["\']')
_DECLARATION = re.compile(r'\s*<\?xml[^>]{0,300}\?>')
# Python has codecs that do other things than read letters; these are encodings.
_ENCODING = re.compile(r'ascii|utf-(8|16|32)\b.*|iso8859-\d+|latin.*|cp\d+|koi8-.|kz1048|mac-.*|gb.*|hz|big5.*|'
                       r'shift_jis.*|euc_.*|iso2022_.*|johab|tis-620|ptcp154|hp-roman8')
# What files of such a declaration hold in truth (as web browsers have it): a larger set with the same codes.
_LARGER = {'ascii': 'utf-8', 'gb2312': 'gb18030', 'gbk': 'gb18030', 'big5': 'big5hkscs', 'shift_jis': 'cp932',
           'euc_kr': 'cp949'}


class XmlText(NamedTuple):
    """A file, decoded."""
    content: bytes  # UTF-8 without a mark or a declaration of another encoding
    problem: str    # which byte could not be read, in words that begin with the place; '' if all could

    @classmethod
    def decode(cls, content: bytes) -> 'XmlText':
        """LookupError, of one readable argument: the declared encoding is not known."""
        declared = _DECLARED.match(content)
        said = declared.group(1).decode('ascii', 'replace') if declared else ''
        encoding = next((name for mark, name in _MARKS if content.startswith(mark)), '') or said or 'utf-8'
        encoding = re.sub('^x-', '', encoding.lower())
        if declared and re.match('(utf|ucs|iso-10646-ucs)-?_?(16|32|2|4)', encoding, re.IGNORECASE):
            encoding = 'utf-8'  # a declaration that can be read as bytes cannot be true
        try:
            encoding = codecs.lookup(encoding).name
            known = _ENCODING.fullmatch(encoding)
        except LookupError:
            known = None
        if not known:
            raise LookupError(f'unknown encoding {encoding[:40]!r}')
        try:
            text, problem = content.decode(_LARGER.get(encoding, encoding)), ''
        except UnicodeDecodeError as error:
            text = content.decode(_LARGER.get(encoding, encoding), 'replace')
            line = content.count(b'\n', 0, error.start) + 1
            problem = (f'byte 0x{content[error.start]:02x} in line {line} is not {encoding.upper()}, '
                       + ('the declared encoding' if said else 'and no other encoding is declared'))
        # Without the declaration, which may be untrue now; its lines stay, so that places are those of the file.
        found = _DECLARATION.match(text)
        if found:
            text = '\n' * found.group().count('\n') + text[found.end():]
        return cls(text.encode('utf-8', 'replace'), problem)
