/** Width and height at which shapes are measured, in pixels. */
export const SIZE = 128
/** Width and height at which colours and coarse layout are measured. */
export const SMALL = 32

const POOL = SIZE / SMALL

/** What all measures of an image are taken from, row by row. */
export type Planes = {
  /** Perceived brightness 0..1, SIZE x SIZE. */
  grey: Float32Array
  /** OKLab, SMALL x SMALL: lightness 0..1, green to red and blue to yellow about -0.3..0.3. */
  lightness: Float32Array
  greenRed: Float32Array
  blueYellow: Float32Array
}

const LINEAR = Float32Array.from({ length: 256 }, (_, i) => {
  const c = i / 255
  return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
})

/** `rgb` holds SIZE x SIZE pixels of sRGB. Colours are averaged in linear light, as an eye far off would see them. */
export function planesOf(rgb: Uint8Array): Planes {
  const planes: Planes = {
    grey: new Float32Array(SIZE * SIZE),
    lightness: new Float32Array(SMALL * SMALL),
    greenRed: new Float32Array(SMALL * SMALL),
    blueYellow: new Float32Array(SMALL * SMALL),
  }
  for (let i = 0; i < SIZE * SIZE; i++) {
    const r = LINEAR[rgb[3 * i]!]!
    const g = LINEAR[rgb[3 * i + 1]!]!
    const b = LINEAR[rgb[3 * i + 2]!]!
    planes.grey[i] = Math.sqrt(0.2126 * r + 0.7152 * g + 0.0722 * b)
  }
  for (let y = 0; y < SMALL; y++) for (let x = 0; x < SMALL; x++) setColour(planes, rgb, x, y)
  return planes
}

function setColour(planes: Planes, rgb: Uint8Array, x: number, y: number): void {
  let r = 0
  let g = 0
  let b = 0
  for (let row = y * POOL; row < (y + 1) * POOL; row++) {
    for (let column = x * POOL; column < (x + 1) * POOL; column++) {
      const at = (row * SIZE + column) * 3
      r += LINEAR[rgb[at]!]!
      g += LINEAR[rgb[at + 1]!]!
      b += LINEAR[rgb[at + 2]!]!
    }
  }
  setOklab(planes, y * SMALL + x, r / POOL ** 2, g / POOL ** 2, b / POOL ** 2)
}

/** Björn Ottosson's OKLab: equal distances look about equally different. */
function setOklab(planes: Planes, at: number, r: number, g: number, b: number): void {
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
  planes.lightness[at] = 0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s
  planes.greenRed[at] = 1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s
  planes.blueYellow[at] = 0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s
}
