/** Pure questions that decide whether an alert is sent. */
import type { TaskEvent } from '../events/types.ts'
import type { AppOwner, QrsTask } from '../qlik/qrs/types.ts'

/** The values of one custom property of a task; none when the task could not be read. */
export function propertyValues(task: QrsTask | null, name: string): readonly string[] {
  if (!name) return []
  return (task?.customProperties ?? []).filter(({ definition }) => definition.name === name).map(({ value }) => value)
}

/** Name and value of the same entry; null when the task could not be read. */
export function hasProperty(task: QrsTask | null, name: string, value: string): boolean | null {
  return task === null ? null : propertyValues(task, name).includes(value)
}

interface OwnerName {
  readonly directory: string
  readonly userId: string
}

/** `appOwnerAlert` of a mail section. */
export interface OwnerAlertSettings {
  readonly enable: boolean
  readonly includeOwner: { readonly includeAll: boolean; readonly user: readonly OwnerName[] }
  readonly excludeOwner: { readonly user: readonly OwnerName[] }
}

export type OwnerDecision =
  | { readonly mail: true; readonly owner: AppOwner }
  | { readonly mail: false; readonly owner: AppOwner | null; readonly detail: string }

/** Whether the owner of the app gets a mail; being excluded wins over being included. Null when the alert is off. */
export function ownerDecision(event: TaskEvent, settings: OwnerAlertSettings | undefined): OwnerDecision | null {
  if (!settings?.enable) return null
  const { owner } = event
  if (!owner) return { mail: false, owner: null, detail: 'the owner of the app is not known' }
  const name = `${owner.directory}\\${owner.userId}`
  if (owner.emails.length === 0) return { mail: false, owner: null, detail: `the owner ${name} has no e-mail address` }
  if (lists(settings.excludeOwner.user, owner)) {
    return { mail: false, owner, detail: `${name} is in appOwnerAlert.excludeOwner` }
  }
  if (settings.includeOwner.includeAll || lists(settings.includeOwner.user, owner)) return { mail: true, owner }
  return { mail: false, owner, detail: `${name} is not in appOwnerAlert.includeOwner` }
}

function lists(owners: readonly OwnerName[], { directory, userId }: OwnerName): boolean {
  return owners.some((owner) => owner.directory === directory && owner.userId === userId)
}
