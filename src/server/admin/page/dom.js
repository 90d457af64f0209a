// Elements of the page, and tables that keep their rows. All content is set as text, never as markup, and only new content is
// written: selection, focus and screen readers stay where they are.

export const $ = (id) => document.getElementById(id);

export function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Sets a text that differs; a live region is then read out once. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setHidden(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

/** Shows the result of an action, for screen readers and eyes. */
export function tell(text, isBad = false) {
  const told = $('told');
  setText(told, text);
  told.classList.toggle('bad', isBad);
}

/** Button that calls `act`; its errors are shown. */
export function button(label, act, attributes = {}) {
  const made = element('button', label, { type: 'button', ...attributes });
  made.addEventListener('click', () => Promise.resolve(act()).catch((error) => tell(error.message, true)));
  return made;
}

/**
 * A table by rows with keys. A column has a title, and `n` where it holds numbers. A cell is a text, `{ text, share }` with a bar
 * of that share (0 to 1), or `{ actions: [[label, act]] }`. Each act gets the row as it is at that time.
 */
export class Table {
  constructor(id, columns, empty = 'none') {
    this.columns = columns;
    this.empty = empty;
    this.lines = new Map();
    const table = $(id);
    const head = element('thead', undefined, { role: 'rowgroup' });
    const line = element('tr', undefined, { role: 'row' });
    for (const { title, n, hidden } of columns) {
      const cell = element('th', hidden ? undefined : title, {
        scope: 'col',
        role: 'columnheader',
        ...(n && { class: 'n' }),
      });
      if (hidden) cell.append(element('span', title, { class: 'unseen' }));
      line.append(cell);
    }
    head.append(line);
    this.body = element('tbody', undefined, { role: 'rowgroup' });
    table.setAttribute('role', 'table');
    table.append(head, this.body);
    this.show([]);
  }

  /** @param rows `{ key, cells }`, in order */
  show(rows) {
    const wanted = rows.length === 0 ? [this.emptyLine()] : rows.map((row) => this.line(row));
    const kept = new Set(wanted);
    for (const [key, line] of this.lines) if (!kept.has(line)) this.lines.delete(key);
    for (const line of [...this.body.rows]) if (!kept.has(line)) line.remove();
    this.order(wanted);
  }

  emptyLine() {
    this.none ??= element('tr', undefined, { role: 'row', class: 'none' });
    if (this.none.cells.length === 0)
      this.none.append(element('td', this.empty, { role: 'cell', colspan: String(this.columns.length) }));
    return this.none;
  }

  line(row) {
    let line = this.lines.get(row.key);
    if (line === undefined) {
      line = element('tr', undefined, { role: 'row' });
      for (const { title, n } of this.columns)
        line.append(element('td', undefined, { role: 'cell', 'data-label': title, ...(n && { class: 'n' }) }));
      this.lines.set(row.key, line);
    }
    line.row = row;
    for (const [i, cell] of row.cells.entries()) fill(line, line.cells[i], cell);
    line.classList.toggle('alarm', row.alarm === true);
    return line;
  }

  /** Moves the other rows around the one with the focus or the selection, which would lose it. */
  order(wanted) {
    const held = wanted.find((line) => line.contains(document.activeElement) || isSelected(line));
    let at = this.body.firstElementChild;
    for (const line of wanted) {
      if (line === at) {
        at = at.nextElementSibling;
      } else if (line === held && line.parentNode === this.body) {
        while (at !== line) {
          const next = at.nextElementSibling;
          this.body.append(at);
          at = next;
        }
        at = line.nextElementSibling;
      } else this.body.insertBefore(line, at);
    }
  }
}

function isSelected(line) {
  const selection = document.getSelection();
  return selection !== null && !selection.isCollapsed && line.contains(selection.anchorNode);
}

function fill(line, cell, value) {
  if (typeof value === 'string') return setText(cell, value);
  if (value.actions !== undefined) {
    if (cell.childElementCount > 0) return undefined;
    for (const [label, act] of value.actions) cell.append(button(label, () => act(line.row)));
    return undefined;
  }
  if (cell.childElementCount === 0) {
    const bar = element('span', undefined, { class: 'bar', 'aria-hidden': 'true' });
    bar.append(element('span'));
    cell.replaceChildren(element('span'), bar);
  }
  const [text, bar] = cell.children;
  setText(text, value.text);
  bar.firstElementChild.style.width = `${Math.min(100, Math.max(0, value.share * 100)).toFixed(1)}%`;
  bar.classList.toggle('near', value.near === true);
  return undefined;
}
