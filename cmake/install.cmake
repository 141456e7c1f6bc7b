# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where: headers, both libraries, the command, a CMake package
# (find_package(memolith): targets memolith::static and memolith::shared) and a pkg-config file.
include(CMakePackageConfigHelpers)

set(MEMO_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/memolith)
string(JOIN " " MEMO_PC_REQUIRES ${MEMO_REQUIRES})
string(JOIN " " MEMO_PC_LIBS -lm ${CMAKE_THREAD_LIBS_INIT})

set_target_properties(memolith_static PROPERTIES EXPORT_NAME static)
set_target_properties(memolith_shared PROPERTIES EXPORT_NAME shared)

# The debug information stays behind: it is most of a file (33 MB of the command, 1.7 MB without).
option(MEMO_INSTALL_STRIP "install without debug information" ON)
if(MEMO_INSTALL_STRIP)
    install(CODE "set(CMAKE_INSTALL_DO_STRIP 1)") # as `cmake --install --strip`; no archive is touched
endif()

install(TARGETS memolith_static memolith_shared EXPORT memolithTargets)
if(TARGET memolith)
    install(TARGETS memolith)
endif()
if(MEMO_INSTALL_STRIP AND CMAKE_STRIP)
    # Symbols stay, for the linker needs them.
    install(CODE "execute_process(COMMAND \"${CMAKE_STRIP}\" -S
        \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/$<TARGET_FILE_NAME:memolith_static>\")")
endif()
install(DIRECTORY include/memolith DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT memolithTargets NAMESPACE memolith:: DESTINATION ${MEMO_CMAKE_DIR})

configure_package_config_file(cmake/memolithConfig.cmake.in ${PROJECT_BINARY_DIR}/memolithConfig.cmake
    INSTALL_DESTINATION ${MEMO_CMAKE_DIR} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/memolithConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/memolithConfig.cmake ${PROJECT_BINARY_DIR}/memolithConfigVersion.cmake
    DESTINATION ${MEMO_CMAKE_DIR})

# The prefix relative to the .pc file, so that an installed tree can be moved.
file(RELATIVE_PATH MEMO_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/memolith.pc.in ${PROJECT_BINARY_DIR}/memolith.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/memolith.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
