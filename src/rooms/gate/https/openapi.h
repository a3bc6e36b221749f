/* openapi.h - the interface's own description. */
#ifndef SP_GATE_HTTPS_OPENAPI_H
#define SP_GATE_HTTPS_OPENAPI_H

#include "base/span.h"

/* The OpenAPI 3.1 document of routes.def and openapi.json, UTF-8, as tools/openapi.py made it. */
extern const struct span openapi_document;
#endif
