import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import sharp from 'sharp'
import { writePdf } from './pdf.ts'
import { PDF_PAGES, TEXTS } from './texts.ts'

/** Scenes as vector drawings; two of each kind, so that each has a look-alike. */
const PICTURES: Record<string, string> = {
  'sunset-1': scene({
    top: '#402060',
    middle: '#e0603a',
    bottom: '#f5c060',
    ground: '#201018',
    disc: { x: 320, y: 290, r: 60, fill: '#ffe9a8' },
  }),
  'sunset-2': scene({
    top: '#4a2468',
    middle: '#d8583e',
    bottom: '#f0b458',
    ground: '#281420',
    disc: { x: 420, y: 280, r: 52, fill: '#fff0b8' },
  }),
  'forest-1': scene({
    top: '#bcd8e8',
    middle: '#9cc8a0',
    bottom: '#4c8a4c',
    ground: '#24481f',
    trees: [60, 150, 260, 390, 480, 580],
  }),
  'forest-2': scene({
    top: '#c4dcea',
    middle: '#a4cca4',
    bottom: '#548f50',
    ground: '#28502a',
    trees: [90, 200, 300, 430, 540],
  }),
  'sea-1': scene({
    top: '#8cc4f0',
    middle: '#5ca0dc',
    bottom: '#2468a8',
    ground: '#e8d8a0',
    disc: { x: 520, y: 90, r: 40, fill: '#fffbe0' },
  }),
  'night-1': scene({
    top: '#04060f',
    middle: '#0a1024',
    bottom: '#141c34',
    ground: '#05070c',
    windows: true,
    disc: { x: 500, y: 90, r: 30, fill: '#f0f0e8' },
  }),
}

type Scene = {
  top: string
  middle: string
  bottom: string
  ground: string
  disc?: { x: number; y: number; r: number; fill: string }
  trees?: number[]
  windows?: boolean
}

function scene({ top, middle, bottom, ground, disc, trees = [], windows = false }: Scene): string {
  const trunks = trees.map(
    (x, i) =>
      `<path d="M${x} 400 l-46 0 l46 -${170 + (i % 3) * 40} l46 ${170 + (i % 3) * 40} z" fill="#1e4a22"/>`,
  )
  const lights = windows
    ? Array.from(
        { length: 40 },
        (_, i) =>
          `<rect x="${30 + (i % 10) * 60}" y="${250 + Math.floor(i / 10) * 34}" width="14" height="18" fill="#f0c860"/>`,
      )
    : []
  return `<svg xmlns="http://www.w3.org/2000/svg" width="640" height="480">
    <defs><linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">
      <stop offset="0" stop-color="${top}"/><stop offset="0.55" stop-color="${middle}"/><stop offset="1" stop-color="${bottom}"/>
    </linearGradient></defs>
    <rect width="640" height="480" fill="url(#sky)"/>
    ${disc ? `<circle cx="${disc.x}" cy="${disc.y}" r="${disc.r}" fill="${disc.fill}"/>` : ''}
    ${lights.join('')}<rect y="390" width="640" height="90" fill="${ground}"/>${trunks.join('')}
  </svg>`
}

/**
 * Writes the demo's texts, pictures and PDF into a folder. Files that are there already stay as they
 * are, with their times: ingesting again then finds nothing new.
 */
export async function writeDemoFiles(folder: string): Promise<number> {
  const files: [string, string | Uint8Array][] = Object.entries(TEXTS)
  files.push(['rules/passenger-rights.pdf', writePdf(PDF_PAGES)])
  for (const [name, drawing] of Object.entries(PICTURES)) {
    files.push([`pictures/${name}.png`, await sharp(Buffer.from(drawing)).png().toBuffer()])
  }
  for (const [path, content] of files) {
    const target = join(folder, path)
    await mkdir(dirname(target), { recursive: true })
    if (!(await holds(target, content))) await writeFile(target, content)
  }
  return files.length
}

async function holds(path: string, content: string | Uint8Array): Promise<boolean> {
  try {
    return (await readFile(path)).equals(Buffer.from(content))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
