import { googleDriveSource } from './google-drive-source.ts'
import { httpSource } from './http-source.ts'
import { localSource } from './local-source.ts'
import { postgresqlSource } from './postgresql-source.ts'
import { rssSource } from './rss-source.ts'
import { s3Source, tigrisSource } from './s3-source.ts'
import { sftpSource } from './sftp-source.ts'
import { sharepointSource } from './sharepoint-source.ts'
import type { SourceProvider } from './source-provider.ts'
import { webdavSource } from './webdav-source.ts'

/** Every source that connections can have; a new one is a file and a line here. */
const PROVIDERS: readonly SourceProvider[] = [
  localSource, //
  s3Source,
  tigrisSource,
  httpSource,
  webdavSource,
  sftpSource,
  googleDriveSource,
  sharepointSource,
  postgresqlSource,
  rssSource,
]

const byType = new Map(PROVIDERS.map((provider) => [provider.provider_type, provider]))
if (byType.size !== PROVIDERS.length) throw new Error('Two source providers have one name.')

/** The provider of this name; undefined when this server has none. */
export const findProvider = (provider_type: string): SourceProvider | undefined => byType.get(provider_type)

/** In the order of the registry. */
export const providerTypes = (): string[] => [...byType.keys()]
