// The API's documents in Swagger UI. No part of it comes from another server, or is sent to one.

/* global SwaggerUIBundle */
SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs', deepLinking: true, validatorUrl: null });
