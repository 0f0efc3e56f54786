/**
 * A PDF of plain text pages in Helvetica (ISO 32000-1, 7.5: header, objects, cross-reference table,
 * trailer). Just what the demo needs, so that it depends on no PDF writer.
 */
export function writePdf(pages: readonly (readonly string[])[]): Uint8Array {
  // Objects 1 to 3 are catalog, page tree and font; each page adds itself and its content.
  const pageNumber = (i: number) => 4 + i * 2
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    `<< /Type /Pages /Kids [${pages.map((_, i) => `${pageNumber(i)} 0 R`).join(' ')}] /Count ${pages.length} >>`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>',
  ]
  pages.forEach((lines, i) => {
    const content = `BT /F1 14 Tf 60 760 Td 22 TL ${lines.map((text) => `(${escaped(text)}) Tj T*`).join(' ')} ET`
    objects.push(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents ${pageNumber(i) + 1} 0 R >>`,
      `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    )
  })
  return assemble(objects)
}

const escaped = (text: string) => text.replace(/[\\()]/g, (character) => `\\${character}`)

function assemble(objects: string[]): Uint8Array {
  let text = '%PDF-1.4\n'
  const offsets: number[] = []
  objects.forEach((object, i) => {
    offsets.push(text.length)
    text += `${i + 1} 0 obj\n${object}\nendobj\n`
  })
  const start = text.length
  const rows = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('')
  text += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${rows}`
  text += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${start}\n%%EOF\n`
  return Buffer.from(text, 'latin1')
}
