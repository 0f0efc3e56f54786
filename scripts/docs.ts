// Writes the generated parts of the documents anew; a test fails while they differ from the code.
import { writeFile } from 'node:fs/promises'
import { relative } from 'node:path'
import { generatedDocuments } from './generated-docs.ts'

for (const { path, current, wanted } of await generatedDocuments()) {
  if (current === wanted) continue
  await writeFile(path, wanted)
  console.log(`${relative(process.cwd(), path)} is up to date now.`)
}
