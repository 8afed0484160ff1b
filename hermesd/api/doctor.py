"""Serves `DoctorService`."""

from collections.abc import Mapping
from typing import Any

import grpc

from hermesd.api.requests import requester
from hermesd.domain.findings import Finding, Severity
from hermesd.domain.profile import ProfileName
from hermesd.services.doctor import Doctor
from hermesd.v1 import doctor_pb2, doctor_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

SEVERITIES: Mapping[Severity, doctor_pb2.Severity.ValueType] = {
    Severity.FINE: doctor_pb2.SEVERITY_FINE,
    Severity.WARNING: doctor_pb2.SEVERITY_WARNING,
    Severity.ERROR: doctor_pb2.SEVERITY_ERROR,
}


class DoctorServicer(doctor_pb2_grpc.DoctorServiceServicer):
    """Translates for `services/doctor.py`."""

    def __init__(self, doctor: Doctor) -> None:
        self._doctor = doctor

    async def Examine(self, request: doctor_pb2.ExamineRequest, context: Context) -> doctor_pb2.ExamineResponse:
        who = requester(context)
        if request.profile:
            name = ProfileName.parse(request.profile)
            found = await self._doctor.examine(name, fix=request.fix, requester=who)
        else:
            found = await self._doctor.examine_all(fix=request.fix, requester=who)
        return doctor_pb2.ExamineResponse(findings=[_finding(one) for one in found])


def _finding(found: Finding) -> doctor_pb2.Finding:
    return doctor_pb2.Finding(
        check=found.check,
        profile=found.profile,
        severity=SEVERITIES[found.severity],
        message=found.message,
        fix=found.fix,
        is_fixable=found.is_fixable,
        is_fixed=found.is_fixed,
    )
