/** The people of a run: references of the task become addresses, each person once. */

import { addressProblem } from '../addresses.ts'
import type { RunCode } from '../codes.ts'
import type { QlikUser, Recipient, RecipientGroup } from '../entities/recipient.ts'
import type { Definition } from '../entities/task.ts'

/** A person who gets mails, hub items or both. */
export interface Person {
  /** Lower case. */
  readonly address: string
  readonly name: string
  readonly email: boolean
  readonly hub: boolean
  /** Filters of the groups and of the person, in that order. */
  readonly filterIds: readonly string[]
  readonly qlikUser: QlikUser | null
  readonly attributes: Readonly<Record<string, string>>
}

/** The part of a person that patterns show. */
export type Reader = Pick<Person, 'address' | 'attributes'>

/** A user of the Qlik repository in a dynamic group. */
export interface GroupMember {
  readonly name: string
  /** Null when the repository knows none. */
  readonly address: string | null
  readonly qlikUser: QlikUser
}

/** Adds an event to the run; `recipient`: addresses, joined by `, `. */
export type Note = (code: RunCode, details: string, recipient?: string) => void

export interface PeopleRequest {
  readonly definition: Definition
  /** Members of dynamic groups, by the id of the group. */
  readonly members: Readonly<Record<string, readonly GroupMember[]>>
  /** Domains to which reports may go; empty = all. */
  readonly allowedDomains: readonly string[]
  /** Limits the run to these addresses; null = all. */
  readonly only: readonly string[] | null
  /** Text of a Qlik expression under the filters of the task. */
  readonly evaluate: (expression: string) => Promise<string>
  readonly note: Note
  /** Adds a line to the log of the run. */
  readonly line: (text: string) => void
  /** Called with a group that brings no person, and the reason. */
  readonly missed: (details: string) => void
}

/**
 * Resolves the recipients of a task. A person whom several references name is listed once, may what any of them allows and
 * has the filters of all, also when an address or an expression names a known person. Inactive recipients are left out;
 * addresses that cannot be used are left out with a warning.
 */
export async function resolvePeople(request: PeopleRequest): Promise<Person[]> {
  const { definition, members, evaluate, note } = request
  const { task, recipients, groups } = definition
  const byId = new Map(recipients.map((one) => [one.id, one]))
  const groupOf = new Map(groups.map((one) => [one.id, one]))
  const people = new Map<string, Person>()

  /** False for a person whose address cannot be used. */
  function add(person: Person): boolean {
    const known = people.get(person.address)
    if (!known && !isUsable(person.address, request.allowedDomains, note)) return false
    if (request.only && !request.only.some((one) => one.toLowerCase() === person.address)) return true
    people.set(person.address, known ? united(known, person) : person)
    return true
  }

  function addRecipient(recipient: Recipient | undefined, reach: Reach, groupFilters: readonly string[] = []): boolean {
    if (!recipient) return false
    if (!recipient.active) {
      request.line(`${recipient.email} is inactive and gets nothing`)
      return false
    }
    const { name, qlikUser, attributes } = recipient
    const filterIds = [...groupFilters, ...recipient.filterIds]
    return add({ address: recipient.email.toLowerCase(), name, ...reach, filterIds, qlikUser, attributes })
  }

  function addGroup(group: (RecipientGroup & { readonly id: string }) | undefined, reach: Reach): void {
    if (!group) return
    const { filterIds, memberIds, dynamic } = group
    const users = members[group.id] ?? []
    let reached = 0
    for (const id of memberIds) if (addRecipient(byId.get(id), reach, filterIds)) reached++
    for (const { name, address, qlikUser } of users) {
      const user = `${qlikUser.userDirectory}\\${qlikUser.userId}`
      if (address === null) note('RECIPIENT_NO_EMAIL', `${user} has no e-mail address`)
      else if (add({ address: address.toLowerCase(), name, ...reach, filterIds, qlikUser, attributes: {} })) reached++
    }
    if (reached > 0) return
    const total = memberIds.length + users.length
    const empty = dynamic ? `no active user of Qlik Sense matches its filter ${dynamic.filter}` : 'it has no members'
    const unreachable = `none of its ${total} members is active and has an address that reports may use`
    request.missed(`the group "${group.name}" brings no person: ${total === 0 ? empty : unreachable}`)
  }

  for (const reference of task.recipients) {
    const reach = { email: reference.email, hub: reference.hub }
    if (reference.type === 'recipient') addRecipient(byId.get(reference.recipientId), reach)
    else if (reference.type === 'group') addGroup(groupOf.get(reference.groupId), reach)
    else {
      const text = reference.type === 'address' ? reference.address : await evaluate(reference.expr)
      for (const address of addressesOf(text)) {
        const known = recipients.find(({ email }) => email.toLowerCase() === address)
        if (known) addRecipient(known, reach)
        else add(stranger(address, reach))
      }
    }
  }
  return [...people.values()]
}

/**
 * The person whom an address outside the recipients of the task reaches, with all filters that are known: those of `people`,
 * else those of the recipient with this address. Null for an inactive one, who gets nothing.
 */
export function personBehind(
  address: string,
  people: readonly Person[],
  recipients: Definition['recipients'],
): Person | null {
  const member = people.find((one) => one.address === address)
  if (member) return member
  const known = recipients.find(({ email }) => email.toLowerCase() === address)
  const unknown = stranger(address, { email: false, hub: false })
  if (!known) return unknown
  const { active, name, filterIds, qlikUser, attributes } = known
  return active ? { ...unknown, name, filterIds, qlikUser, attributes } : null
}

interface Reach {
  readonly email: boolean
  readonly hub: boolean
}

/** A person of whom only the address is known. */
export const stranger = (address: string, reach: Reach): Person => ({
  address,
  name: address,
  ...reach,
  filterIds: [],
  qlikUser: null,
  attributes: {},
})

/** The lower-case addresses in the result of a Qlik expression, separated by `;` or `,`, each once. */
export function addressesOf(text: string): string[] {
  // The engine shows a null as a hyphen.
  return [...new Set(text.split(/[;,]/).map((one) => one.trim().toLowerCase()))].filter((one) => one && one !== '-')
}

/** True for an address that a report may go to; else warns with `ADDRESS_INVALID` or `ADDRESS_NOT_ALLOWED`. */
export function isUsable(address: string, allowedDomains: readonly string[], note: Note): boolean {
  const problem = addressProblem(address, allowedDomains)
  if (problem) note(problem.code, address)
  return problem === null
}

function united(one: Person, other: Person): Person {
  return {
    ...one,
    // A plain address has no name of its own.
    name: one.name === one.address ? other.name : one.name,
    email: one.email || other.email,
    hub: one.hub || other.hub,
    filterIds: [...new Set([...one.filterIds, ...other.filterIds])],
    qlikUser: one.qlikUser ?? other.qlikUser,
    attributes: { ...other.attributes, ...one.attributes },
  }
}
