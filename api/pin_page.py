"""The owner's screen for the PIN of the home: works without scripts, all text escaped. Pure."""

from html import escape
from typing import Final

from api.sheet import problem_line, sheet

_FORM: Final = """    <form method="post" action="/pin">
      <div class="field"><label for="password">Your password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" maxlength="1024" required>
      </div>
      <div class="field"><label for="pin">New PIN, 4 to 12 digits</label>
        <input id="pin" name="pin" type="password" inputmode="numeric" autocomplete="off" maxlength="12"></div>
      <div class="field"><label for="again">The same once more</label>
        <input id="again" name="again" type="password" inputmode="numeric" autocomplete="off" maxlength="12"></div>
      <div class="buttons">
        <button type="submit" name="do" value="set" class="primary">{word}</button>{remove}
      </div>
    </form>"""
_REMOVE: Final = '\n        <button type="submit" name="do" value="remove">Remove it</button>'
_IS_SET: Final = "A PIN is set. Whoever allows something that lowers security must enter it."
_NOT_SET: Final = "No PIN is set. With one, a press alone does not unlock, open or disarm anything."


def pin_page(*, home: str, is_set: bool, may: bool, problem: str = "", done: str = "") -> str:
    """`may`: who looks is the owner; `problem` and `done`: what came of the last press."""
    lines = [
        '    <h2 id="text">PIN of your home</h2>',
        f'    <p id="detail" class="soft">{_IS_SET if is_set else _NOT_SET}</p>',
    ]
    if done:
        lines.append(f'    <p id="done" class="result" data-state="approved" role="status">{escape(done)}</p>')
    if problem:
        lines.append(problem_line(problem))
    if may:
        lines.append(_FORM.format(word="Change it" if is_set else "Set it", remove=_REMOVE if is_set else ""))
    else:
        lines.append('    <p class="soft">Only the owner of the home can set or remove it.</p>')
    return sheet("PIN of your home", home, lines)
