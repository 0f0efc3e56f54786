import type { Db } from '../../platform/db/db.ts'
import type { SecretBox } from '../../platform/secrets/secret-box.ts'
import type { UsageRecorder } from '../../platform/usage/usage-recorder.ts'
import { KeyService } from './api-keys/service.ts'
import { AuditService } from './audit/service.ts'
import { OrganizationService } from './organization/service.ts'
import { SecretService } from './secrets/service.ts'
import { UsageService } from './usage/service.ts'
import { UserService } from './users/service.ts'

type Options = {
  db: Db
  box: SecretBox
  recorder: UsageRecorder
  rate_limit_per_minute: number
  /** Called after changes of keys, users and settings that callers carry. */
  onKeysChanged: () => void
}

/** All that belongs to an organization as a whole. */
export type OrganizationServices = {
  organization: OrganizationService
  users: UserService
  keys: KeyService
  secrets: SecretService
  audit: AuditService
  usage: UsageService
}

export function createOrganizationServices(options: Options): OrganizationServices {
  return {
    organization: new OrganizationService(options),
    users: new UserService(options),
    keys: new KeyService(options),
    secrets: new SecretService(options),
    audit: new AuditService(options),
    usage: new UsageService(options),
  }
}
