import { crc32, deflateRawSync, deflateSync } from 'node:zlib'
import { PDFDocument, StandardFonts } from 'pdf-lib'
import sharp, { type Sharp } from 'sharp'

/** A picture with a different shade in every corner, so that turning it is noticed. */
function picture(width: number, height: number): Sharp {
  const pixels = Buffer.alloc(width * height * 3)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3
      pixels[at] = Math.round((255 * x) / width)
      pixels[at + 1] = Math.round((255 * y) / height)
      pixels[at + 2] = 128
    }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
}

export const makePng = (width: number, height: number): Promise<Uint8Array> =>
  picture(width, height).png().toBuffer()

/** `orientation` is the EXIF tag: 6 means "turn by 90 degrees to show". */
export function makeJpeg(width: number, height: number, orientation?: number): Promise<Uint8Array> {
  const image = picture(width, height)
  return (orientation ? image.withMetadata({ orientation }) : image).jpeg({ quality: 90 }).toBuffer()
}

/** An animation of red and blue frames in turn, red first. */
export function makeGif(frames: number): Promise<Uint8Array> {
  const [width, height] = [8, 8]
  const pixels = Buffer.alloc(width * height * frames * 3)
  for (let i = 0; i < width * height * frames; i++)
    pixels[i * 3 + (Math.floor(i / (width * height)) % 2 === 0 ? 0 : 2)] = 255
  return sharp(pixels, {
    raw: { width, height: height * frames, channels: 3, pageHeight: height },
  })
    .gif({ delay: Array.from({ length: frames }, () => 100), loop: 0 })
    .toBuffer()
}

/** A PNG whose header promises more pixels than its few bytes hold. */
export function makePngHeader(width: number, height: number): Uint8Array {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const chunk = (type: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
    return Buffer.concat([uint32(data.length), body, uint32(crc32(body))])
  }
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(16))),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** One page per text, in lines as given; `size` is width and height in points. */
export async function makePdf(
  pages: readonly string[],
  size: [number, number] = [595, 842],
): Promise<Uint8Array> {
  const pdf = await PDFDocument.create({ updateMetadata: false })
  const font = await pdf.embedFont(StandardFonts.Helvetica)
  for (const text of pages) {
    const page = pdf.addPage(size)
    if (text !== '') page.drawText(text, { x: 40, y: size[1] - 60, size: 12, lineHeight: 16, font })
  }
  return pdf.save()
}

export type ZipFile = {
  name: string
  data: string | Uint8Array
  /** The unpacked size that the headers give instead of the true one. */
  claimed_bytes?: number
}

/** A ZIP archive, packed with deflate. */
export function makeZip(files: readonly ZipFile[]): Uint8Array {
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, data, claimed_bytes } of files) {
    const content = Buffer.from(data)
    const packed = deflateRawSync(content)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(8, 4)
    common.writeUInt32LE(crc32(content), 10)
    common.writeUInt32LE(packed.length, 14)
    common.writeUInt32LE(claimed_bytes ?? content.length, 18)
    common.writeUInt16LE(Buffer.byteLength(name), 22)
    const local = Buffer.concat([Buffer.from('504b0304', 'hex'), common, Buffer.from(name), packed])
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE(offset, 10)
    directory.push(Buffer.concat([Buffer.from('504b01021400', 'hex'), common, rest, Buffer.from(name)]))
    locals.push(local)
    offset += local.length
  }
  const entries = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('504b0506', 'hex')
  end.writeUInt16LE(files.length, 8)
  end.writeUInt16LE(files.length, 10)
  end.writeUInt32LE(entries.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...locals, entries, end])
}

const WORD = 'http://schemas.openxmlformats.org/wordprocessingml/2006/main'
const PACKAGE = 'http://schemas.openxmlformats.org/package/2006'

/** The smallest Word document that readers take; `extra` adds parts or replaces the body. */
export function makeDocx(paragraphs: readonly string[], extra: readonly ZipFile[] = []): Uint8Array {
  const body = paragraphs.map((text) => `<w:p><w:r><w:t>${text}</w:t></w:r></w:p>`).join('')
  const parts: ZipFile[] = [
    {
      name: '[Content_Types].xml',
      data: `<Types xmlns="${PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`,
    },
    {
      name: '_rels/.rels',
      data: `<Relationships xmlns="${PACKAGE}/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`,
    },
    {
      name: 'word/document.xml',
      data: `<w:document xmlns:w="${WORD}"><w:body>${body}</w:body></w:document>`,
    },
  ]
  const replaced = new Set(extra.map(({ name }) => name))
  return makeZip([...parts.filter(({ name }) => !replaced.has(name)), ...extra])
}
