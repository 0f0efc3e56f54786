import type { DomNode, FormatCallback } from 'html-to-text'

/** Between the cells of a row. */
const GAP = '   '

/**
 * A table as one line a row, cells in their order. The converter's own format lays cells out on a
 * grid, whose cost is the square of the rows, or whatever `colspan` and `rowspan` ask for.
 */
export const formatTable: FormatCallback = (table, walk, builder) => {
  const cell = (node: DomNode) => {
    builder.openTableCell({})
    walk(node.children, builder)
    builder.closeTableCell({})
  }
  const row = (cells: DomNode[]) => {
    builder.openTableRow()
    cells.forEach(cell)
    builder.closeTableRow()
  }
  const part = ({ name, children }: DomNode): void => {
    if (name === 'tr') row(children.filter((child) => child.name === 'td' || child.name === 'th'))
    else if (name === 'thead' || name === 'tbody' || name === 'tfoot') children.forEach(part)
  }
  builder.openTable()
  // A caption may stand anywhere; it is read before the rows, as browsers show it.
  for (const node of table.children) if (node.name === 'caption') row([node])
  table.children.forEach(part)
  builder.closeTable({ tableToString: (rows) => rows.map((cells) => cells.map(textOf).join(GAP)).join('\n') })
}

const textOf = ({ text }: { text: string }) => text
