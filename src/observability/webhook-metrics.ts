import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** Every metric of the webhook, in one place; names follow the Prometheus conventions (base units, `_total`). */
export interface WebhookMetrics {
  registry: Registry
  admissions: Counter<'outcome' | 'reason'>
  ruleAdmissions: Counter<'rule' | 'outcome'>
  durationSeconds: Histogram
  inFlight: Gauge
  rejectedRequests: Counter<'status'>
  configReloads: Counter<'result'>
  configValid: Gauge
  configInfo: Gauge<'hash'>
  certificateReloads: Counter<'result'>
  certificateValid: Gauge
  certificateExpirySeconds: Gauge
  decisionLogFailures: Counter
  decisionLogDropped: Counter
  decisionLogFailing: Gauge
}

/** From 50 microseconds, an ordinary decision, to one second, far beyond any. */
const DURATION_BUCKETS_SECONDS = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1]

/** Registers the webhook's metrics in a registry of their own. */
export function createWebhookMetrics (): WebhookMetrics {
  const registry = new Registry()
  const counter = <T extends string>(name: string, help: string, labelNames: T[] = []) => new Counter({ name, help, labelNames, registers: [registry] })
  const gauge = <T extends string>(name: string, help: string, labelNames: T[] = []) => new Gauge({ name, help, labelNames, registers: [registry] })
  return {
    registry,
    admissions: counter('pullkeeper_admissions_total', 'Admission calls answered, by outcome and reason of the decision', ['outcome', 'reason']),
    ruleAdmissions: counter('pullkeeper_rule_admissions_total', 'Admission calls in which a rule applied, by rule and outcome', ['rule', 'outcome']),
    durationSeconds: new Histogram({
      name: 'pullkeeper_admission_duration_seconds',
      help: 'Time from the whole request to the answer, in seconds',
      buckets: DURATION_BUCKETS_SECONDS,
      registers: [registry]
    }),
    inFlight: gauge('pullkeeper_admissions_in_flight', 'Requests whose answer is not yet sent'),
    rejectedRequests: counter('pullkeeper_rejected_requests_total', 'Requests that were no AdmissionReview, by HTTP status', ['status']),
    configReloads: counter('pullkeeper_config_reloads_total', 'Changes of the configuration file, by result', ['result']),
    configValid: gauge('pullkeeper_config_valid', '1 when the configuration file is the configuration in force, 0 when it is refused'),
    configInfo: gauge('pullkeeper_config_info', 'SHA-256 of the configuration file in force', ['hash']),
    certificateReloads: counter('pullkeeper_certificate_reloads_total', 'Changes of the serving certificate files, by result', ['result']),
    certificateValid: gauge('pullkeeper_certificate_valid', '1 when the certificate files are in use, 0 when they are refused'),
    certificateExpirySeconds: gauge('pullkeeper_certificate_expiry_timestamp_seconds', 'End of the serving certificate\'s life, in seconds since 1970'),
    decisionLogFailures: counter('pullkeeper_decision_log_write_failures_total', 'Failed writes to the decision log'),
    decisionLogDropped: counter('pullkeeper_decision_log_dropped_records_total', 'Decision records that were lost because the log could not be written'),
    decisionLogFailing: gauge('pullkeeper_decision_log_failing', '1 while the decision log can not be written')
  }
}
