import { seededRandom } from '../../tests/support/vector-rows.ts'

/** Common words, each one token to the text model, so that the length of a text in tokens is known. */
const WORDS =
  `time year people way day man thing woman life child world school state family student group country problem hand part place case week company system program question work government number night point home water room mother area money story fact month lot right study book eye job word business issue side kind head house service friend father power hour game line end member law car city community name president team minute idea body information back parent face others level office door health person art war history party result change morning reason research girl guy moment air teacher force education food plan cold green small large old young early late great high long little own other new good first last clear open simple short hot dark strong free red black white blue whole real best better sure low hard near common poor natural local single full special easy ready private past foreign fine certain final main general river mountain garden music paper letter table wall window road street market machine engine ship train plane field forest animal bird fish dog horse sun moon star wind rain snow stone gold iron glass wood oil fire light sound color voice heart blood bone skin arm leg foot mouth`.split(
    ' ',
  )

/** Texts of `tokens` tokens (the model's own first and last among them), each a different one. */
export function englishSource(seed: number, tokens: number): () => string {
  const random = seededRandom(seed)
  const word = () => WORDS[Math.floor(random() * WORDS.length)]!
  return () => Array.from({ length: tokens - 2 }, word).join(' ')
}
