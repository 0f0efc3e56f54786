/** Pictures in the terminal: inline images where it speaks such a protocol, else coloured half blocks. */

/** Character cells of a picture. */
const COLUMNS = 40
const ROWS = 12

type Protocol = 'kitty' | 'iterm' | 'blocks' | 'none'

export function protocol(
  environment: NodeJS.ProcessEnv = process.env,
  isTerminal = process.stdout.isTTY === true,
): Protocol {
  if (!isTerminal || environment.NO_COLOR) return 'none'
  if (environment.KITTY_WINDOW_ID || environment.TERM === 'xterm-kitty') return 'kitty'
  if (environment.TERM_PROGRAM === 'iTerm.app' || environment.TERM_PROGRAM === 'WezTerm') return 'iterm'
  return /truecolor|24bit/.test(environment.COLORTERM ?? '') ? 'blocks' : 'none'
}

export const canShowPictures = () => protocol() !== 'none'

/** The characters that draw the picture at a URL. */
export async function picture(url: string, how = protocol()): Promise<string> {
  const response = await fetch(url)
  if (!response.ok) return `(picture not available: ${response.status})`
  return draw(new Uint8Array(await response.arrayBuffer()), how)
}

export async function draw(image: Uint8Array, how: Protocol): Promise<string> {
  // Loaded only when a picture is drawn: most commands start faster without it.
  const { default: sharp } = await import('sharp')
  if (how === 'kitty')
    return kitty(
      await sharp(image)
        .resize(COLUMNS * 10, ROWS * 20, { fit: 'inside' })
        .png()
        .toBuffer(),
    )
  if (how === 'iterm') return iterm(Buffer.from(image))
  const { data, info } = await sharp(image)
    .resize(COLUMNS, ROWS * 2, { fit: 'inside' })
    .flatten({ background: '#000' })
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true })
  return blocks(data, info.width, info.height, info.channels)
}

/** One cell shows two pixels: the upper as foreground of ▀, the lower as background. */
function blocks(pixels: Buffer, width: number, height: number, channels: number): string {
  const color = (x: number, y: number) => {
    const at = (Math.min(y, height - 1) * width + x) * channels
    return `${pixels[at]};${pixels[at + (channels > 2 ? 1 : 0)]};${pixels[at + (channels > 2 ? 2 : 0)]}`
  }
  const rows: string[] = []
  for (let y = 0; y < height; y += 2) {
    let row = ''
    for (let x = 0; x < width; x += 1) row += `\u001b[38;2;${color(x, y)}m\u001b[48;2;${color(x, y + 1)}m▀`
    rows.push(`${row}\u001b[0m`)
  }
  return rows.join('\n')
}

/** https://sw.kovidgoyal.net/kitty/graphics-protocol/: base64 in chunks of at most 4,096 characters. */
function kitty(png: Buffer): string {
  const chunks = png.toString('base64').match(/.{1,4096}/g) ?? []
  return chunks
    .map(
      (chunk, i) =>
        `\u001b_G${i === 0 ? 'a=T,f=100,' : ''}m=${i < chunks.length - 1 ? 1 : 0};${chunk}\u001b\\`,
    )
    .join('')
}

/** https://iterm2.com/documentation-images.html */
const iterm = (image: Buffer) =>
  `\u001b]1337;File=inline=1;height=${ROWS};size=${image.length}:${image.toString('base64')}\u0007`
