/** A request that can not be answered with an AdmissionReview, and what its sender should do. */
export interface HttpProblem {
  statusCode: number
  /** Stable code for programs. */
  code: string
  message: string
}

/** The webhook's error catalogue. */
export const HTTP_PROBLEMS = {
  emptyBody: { statusCode: 400, code: 'EMPTY_BODY', message: 'the body is empty: POST an admission.k8s.io AdmissionReview as JSON' },
  invalidJson: { statusCode: 400, code: 'INVALID_JSON', message: 'the body is no valid JSON: POST an admission.k8s.io AdmissionReview' },
  unsupportedMediaType: { statusCode: 415, code: 'UNSUPPORTED_MEDIA_TYPE', message: 'the content type must be application/json' },
  bodyTooLarge: { statusCode: 413, code: 'BODY_TOO_LARGE', message: 'the body is larger than 7 MiB, more than the API server sends' },
  notFound: { statusCode: 404, code: 'NOT_FOUND', message: 'nothing is here: the API server posts AdmissionReviews to /mutate or /mutate/<key>' },
  headersTooLarge: { statusCode: 431, code: 'HEADERS_TOO_LARGE', message: 'the headers of the request are too large' },
  badRequest: { statusCode: 400, code: 'BAD_REQUEST', message: 'the request could not be read' }
} as const satisfies Record<string, HttpProblem>

/** Errors of fastify and of Node's HTTP parser in the terms of the catalogue; anything else is a request that could not be read. */
export function toHttpProblem (error: { code?: string, statusCode?: number }): HttpProblem {
  switch (error.code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE': return HTTP_PROBLEMS.unsupportedMediaType
    case 'FST_ERR_CTP_BODY_TOO_LARGE': return HTTP_PROBLEMS.bodyTooLarge
    case 'HPE_HEADER_OVERFLOW': return HTTP_PROBLEMS.headersTooLarge
    default: return HTTP_PROBLEMS.badRequest
  }
}

/** A body that is JSON but no AdmissionReview. */
export function describeInvalidReview (message: string): HttpProblem {
  return { statusCode: 400, code: 'INVALID_ADMISSION_REVIEW', message }
}
