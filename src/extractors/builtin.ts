import type { Extractor } from './extractor.ts'
import { imageExtractor } from './image-extractor.ts'
import { passthroughExtractor } from './passthrough-extractor.ts'
import { createRegistry, type Registry } from './registry.ts'
import { textExtractor } from './text-extractor.ts'

/** Every feature extractor that comes with Kura. A new one is one file and one entry here. */
export const builtinExtractors: Registry<Extractor> = createRegistry<Extractor>([
  passthroughExtractor,
  textExtractor,
  imageExtractor,
])
