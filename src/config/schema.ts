import { Type, type Static, type TString } from 'typebox'

/** A DNS-1123 label as in Kubernetes' names of namespaces, used for rule names too. */
const DNS_LABEL = '[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?'

/** A DNS-1123 subdomain; its length is limited as a whole only. */
const DNS_SUBDOMAIN = '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'
const LABEL_NAME = '([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)'

/** What stands in `description` completes the error "must be ...". */
const dnsLabel = text(`^${DNS_LABEL}$`, 'a DNS label: lower-case letters, digits and "-", at most 63 characters')
const secretName = text(`^(?=.{1,253}$)${DNS_SUBDOMAIN}$`, 'the name of a Secret: lower-case letters, digits, "-" and ".", at most 253 characters')
const secretKey = text('^[-._A-Za-z0-9]{1,253}$', 'a key of a Secret: letters, digits, "-", "_" and "."')
const namespaceGlob = text('^[-a-z0-9*?]{1,63}$', 'the name of a namespace, in which "*" stands for any run of characters and "?" for one')
const labelKey = text(`^(?:(?=[^/]{1,253}/)${DNS_SUBDOMAIN}/)?${LABEL_NAME}$`, 'a label key: [PREFIX/]NAME')
const labelValue = text(`^${LABEL_NAME}?$`, 'a label value: letters, digits, "-", "_" and ".", at most 63 characters')
const duration = text('^[0-9]+(ms|s|m|h|d)$', 'a duration such as 30s, 10m or 1h')
const filePath = text('^/.+', 'the absolute path of a mounted file')
const nonEmpty = text('.', 'a text that is not empty')
const imagePattern = text('.', 'a pattern: host[:port][/path]')
const server = text('^\\S+$', 'a registry: host[:port][/path]')

const secretReference = closed({ namespace: dnsLabel, name: secretName })
const valueSource = oneOf({ secret: closed({ namespace: dnsLabel, name: secretName, key: secretKey }), file: filePath })

const credential = oneOf({
  basic: closed({ username: Type.Optional(nonEmpty), usernameFrom: Type.Optional(valueSource), passwordFrom: valueSource }),
  azure: closed({ identity: Type.Enum(['workloadIdentity', 'managedIdentity', 'clientSecret', 'clientCertificate']) })
})

const pullSecret = closed({
  name: secretName,
  registries: Type.Optional(Type.Array(closed({
    servers: Type.Array(server, { minItems: 1 }),
    credential,
    verify: Type.Optional(Type.Boolean()),
    caFile: Type.Optional(filePath),
    allowedRealms: Type.Optional(Type.Array(nonEmpty))
  }), { minItems: 1 })),
  copyFrom: Type.Optional(oneOf({ secret: secretReference, file: filePath })),
  onConflict: Type.Optional(Type.Enum(['skip', 'adopt', 'overwrite'])),
  onExpired: Type.Optional(Type.Enum(['keep', 'withdraw'])),
  serviceAccounts: Type.Optional(Type.Array(text('^(\\*|[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?)$', 'the name of a ServiceAccount, or "*" for all')))
})

const selector = closed({
  matchLabels: Type.Optional(Type.Record(labelKey, labelValue, { additionalProperties: false })),
  matchExpressions: Type.Optional(Type.Array(closed({
    key: labelKey,
    operator: Type.Enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
    values: Type.Optional(Type.Array(labelValue))
  })))
})

const rule = closed({
  name: dnsLabel,
  matchImages: Type.Optional(Type.Array(imagePattern, { minItems: 1 })),
  excludeImages: Type.Optional(Type.Array(imagePattern)),
  always: Type.Optional(Type.Boolean()),
  namespaces: Type.Optional(closed({
    include: Type.Optional(Type.Array(namespaceGlob, { minItems: 1 })),
    exclude: Type.Optional(Type.Array(namespaceGlob)),
    selector: Type.Optional(selector)
  })),
  pullSecrets: Type.Array(secretName)
})

/** The schema of the configuration file; a key that it does not name is an error. */
export const CONFIG_SCHEMA = closed({
  apiVersion: Type.Enum(['pullkeeper.dev/v1alpha1']),
  kind: Type.Enum(['PullSecretConfig']),
  pullSecrets: Type.Optional(Type.Array(pullSecret)),
  retired: Type.Optional(Type.Array(secretName)),
  rules: Type.Array(rule),
  unmatched: Type.Optional(Type.Enum(['allow', 'warn', 'deny'])),
  webhook: Type.Optional(closed({
    onError: Type.Optional(Type.Enum(['allow', 'deny'])),
    annotate: Type.Optional(Type.Boolean()),
    failurePolicy: Type.Optional(Type.Enum(['Ignore', 'Fail'])),
    timeoutSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 30, description: 'a whole number of seconds from 1 to 30' })),
    manageRegistration: Type.Optional(Type.Boolean())
  })),
  sync: Type.Optional(closed({
    pruneAfter: Type.Optional(duration),
    recover: Type.Optional(Type.Enum(['off', 'report', 'evict']))
  }))
})

/** A configuration file's content as it is written: defaults not yet filled in. */
export type ConfigDocument = Static<typeof CONFIG_SCHEMA>

function text (pattern: string, description: string): TString {
  return Type.String({ pattern, description })
}

function closed<T extends Parameters<typeof Type.Object>[0]> (properties: T) {
  return Type.Object(properties, { additionalProperties: false })
}

/** An object with exactly one of the given keys. */
function oneOf<T extends Parameters<typeof Type.Object>[0]> (properties: T) {
  return Type.Partial(Type.Object(properties), { additionalProperties: false, minProperties: 1, maxProperties: 1 })
}
